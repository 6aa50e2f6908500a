"""Mixtures and what a separator makes of them, in TensorBoard."""

import tensorflow as tf

from data.page import spectrogram_image
from models.separation.separator import Separator
from train.loop import shown_sound
from train.loop.training_loop import MakeDataset

_NUM_CLIPS = 3
# More than this of a clip says little more, and fills the disk.
_SECONDS = 4.0
_FRAMES = 200


class SeparationExamples:
    """Shows some clips and their channels, in TensorBoard's default writer.

    As a function of the step, to be called with each. The clips stay the
    same; they are single ones, as what separate_shards.py will read, not sums
    of two as in training. A clip and its channels have one color scale.

    Args:
      make_dataset: of the training; the clips are its first ones.
      every: steps between examples; 0: none.
    """

    def __init__(
        self, separator: Separator, make_dataset: MakeDataset, every: int
    ):
        self._separator, self._make_dataset = separator, make_dataset
        self._every, self._mixtures = every, None

    def __call__(self, step: int) -> None:
        if not shown_sound.is_due(step, self._every):
            return
        rate_hz = self._separator.sample_rate_hz
        if self._mixtures is None:
            pairs, _ = next(iter(self._make_dataset(0)))  # (B, 2, T)
            samples = round(_SECONDS * rate_hz)
            self._mixtures = pairs[:_NUM_CLIPS, 0, :samples]
        channels = self._separator(self._mixtures, training=False)
        channels = tf.cast(channels, tf.float32)  # (clips, M, T)
        signals = tf.concat([self._mixtures[:, None], channels], axis=1)
        names = ["mixture"]
        names += [f"channel_{n + 1}" for n in range(channels.shape[1])]
        for clip, of_clip in enumerate(signals.numpy()):
            high = None
            for name, sound in zip(names, of_clip, strict=True):
                values = spectrogram_image.log_mel(sound, rate_hz, _FRAMES)
                high = float(values.max()) if high is None else high
                image = spectrogram_image.rgb(
                    values, spectrogram_image.darkest(high), high
                )
                tag = f"scenes/clip_{clip + 1}/{name}"
                shown_sound.show(tag, image, sound, rate_hz, step)
