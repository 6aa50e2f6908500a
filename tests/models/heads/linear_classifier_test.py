import keras
import numpy as np
import pytest

from models.heads.linear_classifier import LinearClassifier


def test_scores_are_sigmoids_of_one_linear_layer():
    classifier = LinearClassifier(7, 3)
    random = np.random.default_rng(1)
    kernel, bias = random.normal(size=(7, 3)), random.normal(size=3)
    classifier.logits.set_weights([kernel, bias])
    h = random.normal(size=(5, 7)).astype("f4")
    np.testing.assert_allclose(
        classifier(h), 1 / (1 + np.exp(-(h @ kernel + bias))), atol=1e-6
    )


def test_scores_stay_float32_under_reduced_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    classifier = LinearClassifier(7, 3)
    h = np.random.default_rng(1).normal(size=(5, 7)).astype("f4")
    kernel, bias = classifier.logits.get_weights()
    scores = np.asarray(classifier(h))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(
        scores, 1 / (1 + np.exp(-(h @ kernel + bias))), atol=1e-6
    )


def test_file_round_trip(tmp_path):
    classifier = LinearClassifier(7, 3)
    classifier.save(tmp_path / "c.keras")
    again = keras.saving.load_model(tmp_path / "c.keras")
    assert again.get_config() == classifier.get_config()
    h = np.random.default_rng(1).normal(size=(5, 7)).astype("f4")
    np.testing.assert_array_equal(again(h), classifier(h))


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="embedding_dim=0, num_classes=3"):
        LinearClassifier(0, 3)
