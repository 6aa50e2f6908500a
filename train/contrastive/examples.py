"""Views to see and hear in TensorBoard."""

import numpy as np
import tensorflow as tf

from data.page import spectrogram_image
from train.contrastive.learner import ContrastiveLearner
from train.contrastive.view_pipeline import (
    AUGMENT,
    DRAWS,
    NOISE,
    POSITIVE,
    VIEWS,
)
from train.loop import shown_sound
from train.loop.training_loop import MakeDataset

_NUM_CLIPS = 4


class ViewExamples:
    """Shows the two views of the first clips, in TensorBoard's default writer.

    As a function of the step, to be called with each. The clips stay the
    same and are augmented anew each time; with separation on the fly, their
    processors, signals and times are drawn anew too. Pictures are what the
    encoder gets, on one color scale for both views of a clip; the sound is
    that of the views before SpecAugment, and before a triplet's positive is
    made of the second one.

    Args:
      make_dataset: of the training; the clips are its first ones.
      every: steps between examples; 0: none.
    """

    def __init__(
        self,
        learner: ContrastiveLearner,
        make_dataset: MakeDataset,
        every: int,
        seed: int,
    ):
        self._learner, self._make_dataset = learner, make_dataset
        self._every, self._seed = every, seed
        self._batch = None

    def __call__(self, step: int) -> None:
        if not shown_sound.is_due(step, self._every):
            return
        if self._batch is None:
            batch, _ = next(iter(self._make_dataset(0)))
            self._batch = {n: v[:_NUM_CLIPS] for n, v in batch.items()}
        batch = self._drawn_anew(step)
        views = batch
        if self._learner.make_views is not None:
            views = self._learner.make_views(batch)
        pairs = np.stack(
            tf.split(self._learner.log_mel_views(batch), 2), axis=1
        )  # (clips, 2, frames, bands)
        rate_hz = self._learner.embedding_model.sample_rate_hz
        for clip, pair in enumerate(pairs):
            low, high = float(pair.min()), float(pair.max())
            for view, name in enumerate(("first", "second")):
                image = spectrogram_image.rgb(pair[view], low, high)
                sound = views[VIEWS][clip, view]
                tag = f"views/clip_{clip + 1}/{name}"
                shown_sound.show(tag, image, sound, rate_hz, step)

    def _drawn_anew(self, step: int) -> dict[str, tf.Tensor]:
        batch = dict(self._batch)
        for number, name in enumerate((DRAWS, AUGMENT, POSITIVE, NOISE)):
            if name in batch:
                draw = (
                    tf.random.stateless_normal
                    if name == NOISE
                    else tf.random.stateless_uniform
                )
                key = tf.random.fold_in(
                    [self._seed, step], number, alg="philox"
                )
                batch[name] = draw(batch[name].shape, key, alg="philox")
        return batch
