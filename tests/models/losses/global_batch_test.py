import numpy as np
import pytest
import tensorflow as tf

from models.losses.coincidence_loss import coincidence_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss

# Of local rows, all rows, and the place of the first local one.
LOSSES = {
    "nt_xent": lambda a, b, *whole: nt_xent(a, b, 0.2, *whole),
    "triplet": lambda a, b, _, all_b, k: triplet_loss(a, b, 0.3, all_b, k),
    "coincidence": lambda a, b, _, all_b, k: coincidence_loss(
        tf.matmul(a, all_b, transpose_b=True), k
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_split_over_replicas_equals_whole(loss):
    """In a graph that knows neither the batch nor where a replica starts."""
    a, b = np.random.default_rng(1).normal(size=(2, 6, 7)).astype("f4")
    signature = [tf.TensorSpec([None, 7])] * 4 + [tf.TensorSpec([], tf.int32)]
    graph = tf.function(LOSSES[loss], input_signature=signature)
    whole = LOSSES[loss](a, b, a, b, 0)
    parts = [graph(a[k : k + 2], b[k : k + 2], a, b, k) for k in (0, 2, 4)]
    for place, expected in enumerate(whole):
        joined = np.concatenate([part[place] for part in parts])
        np.testing.assert_allclose(joined, expected, rtol=1e-6)
