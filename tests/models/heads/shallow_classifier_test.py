import keras
import numpy as np
import pytest

from models.heads.shallow_classifier import ShallowClassifier


def test_standardises_by_the_windows_it_was_adapted_to():
    random = np.random.default_rng(0)
    embeddings = random.normal(40, 3, (101, 5)).astype("f4")
    classifier = ShallowClassifier(5, 3, hidden_units=7)
    classifier.adapt(embeddings)
    standard = (embeddings - classifier.shift) * classifier.scale
    np.testing.assert_allclose(np.mean(standard, axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.std(standard, axis=0), 1, atol=1e-5)


def test_logits_by_hand():
    classifier = ShallowClassifier(2, 1, hidden_units=2)
    classifier.adapt(np.array([[0.0, 8.0], [4.0, 12.0]]))  # mean 2 and 10
    classifier.hidden.set_weights([np.eye(2), np.array([0, 1])])
    classifier.logits.set_weights([np.array([[10], [100]]), np.array([5])])
    # Standardised (3, -3), with bias (3, -2), after ReLU (3, 0).
    logits = classifier(np.array([[8.0, 4.0]], "f4"))
    np.testing.assert_allclose(logits, [[35]], rtol=1e-6)


def test_a_constant_dimension_is_ignored():
    embeddings = np.random.default_rng(0).normal(size=(31, 3)).astype("f4")
    embeddings[:, 1] = -6.9077554
    classifier = ShallowClassifier(3, 2, hidden_units=4)
    classifier.adapt(embeddings)
    moved = embeddings + np.array([0, 0.5, 0], "f4")
    np.testing.assert_array_equal(classifier(embeddings), classifier(moved))


def test_parameters_of_the_published_size():
    classifier = ShallowClassifier(128, 527)
    trainable = sum(np.size(w) for w in classifier.trainable_weights)
    assert trainable == 129 * 512 + 513 * 527
    names = [weight.path for weight in classifier.trainable_weights]
    assert len(names) == 4


def test_reloads_with_standardisation(tmp_path):
    embeddings = np.random.default_rng(0).normal(7, 2, (31, 5)).astype("f4")
    classifier = ShallowClassifier(5, 3, hidden_units=7)
    classifier.adapt(embeddings)
    classifier.save(tmp_path / "classifier.keras")
    loaded = keras.saving.load_model(tmp_path / "classifier.keras")
    assert loaded.get_config() == classifier.get_config()
    np.testing.assert_array_equal(loaded(embeddings), classifier(embeddings))


def test_refuses_sizes_below_one():
    with pytest.raises(ValueError, match="num_classes=0"):
        ShallowClassifier(5, 0)
