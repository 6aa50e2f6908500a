"""SpecAugment on log-mel patches: time and frequency masks, mild time warp."""

import keras
from keras import ops

from models.numerics.precision import wide_dtype


@keras.saving.register_keras_serializable(package="separated_scenes")
class SpecAugment(keras.layers.Layer):
    """Time warp, then time masks and frequency masks, per example.

    Call: log_mel (B, frames, bands), uniform (B, num_draws) -> (B, frames,
    bands). `uniform` holds the numbers in [0, 1) that decide everything, so
    the result is a function of the input. Source: Park et al., Interspeech
    2019; mask sizes for 96 x 64 patches are our choice, in proportion to
    those of PANNs. Masks are filled with the mean of the patch (our choice),
    which tells less about where they are than a fixed value.

    Args:
      time_masks: number of masks along time.
      time_mask_frames: a mask's width is uniform in [0, time_mask_frames].
      freq_masks: number of masks along frequency.
      freq_mask_bands: a mask's width is uniform in [0, freq_mask_bands].
      time_warp_frames: a random inner frame moves by up to that many frames,
        and the rest is stretched in proportion; 0 turns the warp off.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_mask_frames: int = 16,
        freq_masks: int = 2,
        freq_mask_bands: int = 8,
        time_warp_frames: int = 8,
        **kwargs,
    ):
        kwargs["dtype"] = wide_dtype()
        super().__init__(**kwargs)
        self.time_masks = time_masks
        self.time_mask_frames = time_mask_frames
        self.freq_masks = freq_masks
        self.freq_mask_bands = freq_mask_bands
        self.time_warp_frames = time_warp_frames
        # Two for the warp, two for each mask: width and position.
        self.num_draws = 2 + 2 * (time_masks + freq_masks)
        self.built = True

    def call(self, log_mel, uniform):
        draws = iter(ops.split(uniform, self.num_draws, axis=1))  # (B, 1) each
        center, shift = next(draws), next(draws)

        def outside(masks, size, max_width):
            """1 outside all of some random masks, 0 inside: (B, size)."""
            keep = ops.ones_like(center)
            for _ in range(masks):
                width = ops.floor(next(draws) * (min(max_width, size) + 1))
                start = ops.floor(next(draws) * (size - width + 1))
                position = ops.arange(size, dtype=start.dtype)  # (size,)
                inside = (position >= start) & (position < start + width)
                keep = keep * (1 - ops.cast(inside, start.dtype))
            return keep

        if self.time_warp_frames:
            log_mel = _time_warp(log_mel, center, shift, self.time_warp_frames)
        frames, bands = log_mel.shape[1:]
        in_time = outside(self.time_masks, frames, self.time_mask_frames)
        in_freq = outside(self.freq_masks, bands, self.freq_mask_bands)
        keep = ops.expand_dims(in_time, 2) * ops.expand_dims(in_freq, 1)
        fill = ops.mean(log_mel, axis=(1, 2), keepdims=True)
        return keep * log_mel + (1 - keep) * fill


def _time_warp(log_mel, center_draw, shift_draw, max_shift: int):
    """Moves one inner frame and stretches both sides linearly."""
    frames = log_mel.shape[1]
    last = frames - 1
    max_shift = min(max_shift, (last - 1) // 2)
    # The frame and where it goes both stay inside the patch.
    center = max_shift + center_draw * (last - 2 * max_shift)
    target = center + (2 * shift_draw - 1) * max_shift
    target = ops.clip(target, 1, last - 1)
    frame = ops.arange(frames, dtype=target.dtype)  # (frames,)
    source = ops.where(
        frame < target,
        frame * center / target,
        center + (frame - target) * (last - center) / (last - target),
    )  # (B, frames)
    # Linear interpolation as a matrix: hat functions around each frame.
    distance = ops.expand_dims(source, 2) - frame
    weights = ops.relu(1 - ops.abs(distance))  # (B, frames, frames)
    return ops.matmul(weights, log_mel)
