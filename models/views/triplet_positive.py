"""The positive of a triplet: four ways to make it from a log-mel patch."""

from keras import ops

from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel

# Uniform numbers of an example: way, other clip, shifts in time, frequency.
NUM_DRAWS = 4
_NOISE_DEVIATION = 0.5
_MIX_RATIO = 0.25
_SHIFT_BANDS = 10


class TripletPositive:
    """One of four positives for each example, each as likely (our choice).

    Noise: every energy times 1 + |e|, e normal of deviation 0.5. Mixing: plus
    the patch of another clip of the batch, with a total energy of a quarter of
    that of this one. Shift: circular in time by any number of frames; in
    frequency by up to 10 bands up or down, with silence moving in. Temporal
    proximity: the second view of the clip as it was cut. Jansen et al.,
    "Unsupervised Learning of Semantic Audio Representations" (ICASSP 2018),
    with its sizes; energies are squared mel magnitudes (our choice).

    Args:
      frontend: that made the patches.
    """

    def __init__(self, frontend: LogMel | PANNsLogMel):
        self.frontend = frontend

    def __call__(
        self,
        log_mel,
        second_view,
        uniform,
        normal,
        all_log_mel=None,
        offset=0,
    ):
        """Positives (B, frames, bands).

        Args:
          log_mel: (B, frames, bands) of the anchors.
          second_view: likewise, of other times of the same clips.
          uniform: (B, NUM_DRAWS) in [0, 1).
          normal: (B, frames, bands) from the standard normal distribution.
          all_log_mel: (N, frames, bands) anchors of the global batch, when it
            is larger than the local one.
          offset: row of the global batch at which the local one starts.
        """
        way, other, time, band = (uniform[:, i] for i in range(NUM_DRAWS))
        energy = all_energy = self.frontend.energy(log_mel)
        if all_log_mel is not None:
            all_energy = self.frontend.energy(all_log_mel)
        noise = ops.cast(_NOISE_DEVIATION * normal, energy.dtype)
        noisy = energy * (1 + ops.abs(noise))
        mixed = self._mixed(energy, other, all_energy, offset)
        positives = (
            self.frontend.of_energy(noisy),
            self.frontend.of_energy(mixed),
            self._shifted(log_mel, time, band),
            second_view,
        )
        way = ops.reshape(ops.floor(way * len(positives)), (-1, 1, 1))
        chosen = second_view
        for k, positive in enumerate(positives[:-1]):
            chosen = ops.where(way == k, positive, chosen)
        return chosen

    def _mixed(self, energy, other, all_energy, offset):
        clips = ops.shape(all_energy)[0]
        others = ops.cast(clips - 1, other.dtype)
        step = 1 + ops.cast(ops.floor(other * others), "int32")
        own = offset + ops.arange(ops.shape(energy)[0])
        other = ops.take(all_energy, (own + step) % clips, axis=0)
        ours = ops.sum(energy, axis=(1, 2), keepdims=True)
        theirs = ops.sum(other, axis=(1, 2), keepdims=True)
        # A silent clip adds nothing.
        gain = ops.where(theirs > 0, _MIX_RATIO * ours / theirs, 0.0)
        return energy + gain * other

    def _shifted(self, log_mel, time, band):
        frames, bands = log_mel.shape[1:]
        steps = ops.cast(ops.floor(time * frames), "int32")
        source = (ops.arange(frames) - ops.expand_dims(steps, 1)) % frames
        moved = ops.take_along_axis(log_mel, ops.expand_dims(source, 2), axis=1)
        width = 2 * _SHIFT_BANDS + 1
        steps = ops.cast(ops.floor(band * width), "int32") - _SHIFT_BANDS
        source = ops.arange(bands) - ops.expand_dims(steps, 1)  # (B, bands)
        inside = ops.logical_and(source >= 0, source < bands)
        moved = ops.take_along_axis(
            moved, ops.expand_dims(ops.clip(source, 0, bands - 1), 1), axis=2
        )
        silence = self.frontend.of_energy(ops.zeros((), log_mel.dtype))
        return ops.where(ops.expand_dims(inside, 1), moved, silence)
