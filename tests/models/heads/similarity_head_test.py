import keras
import numpy as np

from models.heads.similarity_head import SimilarityHead


def test_is_one_hidden_layer_with_relu():
    head = SimilarityHead(5, 7, 3)
    h = np.random.default_rng(1).normal(size=(4, 5)).astype("float32")
    hidden = np.maximum(h @ np.asarray(head.hidden.kernel), 0)
    expected = hidden @ np.asarray(head.projection.kernel)
    np.testing.assert_allclose(head(h), expected, atol=1e-6)


def test_file_round_trip(tmp_path):
    head = SimilarityHead(5, 7, 3)
    head.save(tmp_path / "h.keras")
    again = keras.saving.load_model(tmp_path / "h.keras")
    h = np.ones((2, 5), "float32")
    np.testing.assert_array_equal(again(h), head(h))


def test_reduced_precision_rounds_nothing():
    head = SimilarityHead(5, 7, 3)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    reduced = SimilarityHead(5, 7, 3)
    reduced.set_weights(head.get_weights())
    h = np.random.default_rng(1).normal(size=(4, 5)).astype("float32")
    np.testing.assert_array_equal(reduced(h), head(h))
