import keras
import numpy as np
import pytest
import tensorflow as tf

from models.separation.separator import Separator
from train.contrastive import view_pipeline
from train.contrastive.on_the_fly import OnTheFlyViews
from train.contrastive.view_pipeline import (
    AUGMENT,
    DRAWS,
    LENGTHS,
    MIXTURES,
    VIEWS,
    ViewSpec,
)

SPEC = ViewSpec(
    comparison="mix_vs_chan",
    processors=("A", "B", "C"),
    num_channels=2,
    view_samples=300,
    max_offset_samples=10**6,
    silence_db=-90.0,
    augment_draws=4,
)


def _separator(seed):
    keras.utils.set_random_seed(seed)
    return Separator(
        2,
        num_coefficients=11,
        bottleneck=5,
        conv_channels=7,
        # Dilated by up to 4, which the frames are no multiple of.
        num_dilations=3,
        num_repeats=1,
    )


# Of each clip: the processor drawn.
@pytest.mark.parametrize("drawn", [(2, 0, 1, 0, 2), (1,) * 5, (0, 0, 2, 2, 0)])
@pytest.mark.parametrize("compiled", [False, True])
def test_each_clip_is_separated_by_the_processor_it_drew(drawn, compiled):
    rng = np.random.default_rng(0)
    separators = [_separator(seed) for seed in range(3)]
    draws = rng.uniform(size=(5, view_pipeline.NUM_VIEW_DRAWS))
    draws[:, 0] = (np.array(drawn) + 0.5) / 3
    batch = {
        MIXTURES: tf.constant(rng.normal(0, 0.1, (5, 1010)), tf.float32),
        LENGTHS: tf.fill([5], 1010),
        DRAWS: tf.constant(draws, tf.float32),
        AUGMENT: tf.zeros([5, 2, 4]),
    }
    make_views = OnTheFlyViews(separators, SPEC)
    views = (tf.function(make_views) if compiled else make_views)(batch)
    for clip, processor in enumerate(drawn):
        mixture = batch[MIXTURES][clip : clip + 1]
        signals = tf.concat(
            [mixture[:, None], separators[processor](mixture)], 1
        )
        expected = view_pipeline.views_of_signals(
            signals,
            batch[DRAWS][clip : clip + 1],
            batch[LENGTHS][clip : clip + 1],
            SPEC,
        )
        np.testing.assert_allclose(views[VIEWS][clip], expected[0], atol=1e-6)
