import keras
import numpy as np
import pytest

from models.heads.coincidence_head import CoincidenceHead
from models.heads.linear_classifier import LinearClassifier
from models.heads.similarity_head import SimilarityHead


def _rows(count=4, size=5):
    random = np.random.default_rng(1)
    return random.normal(7, 2, (count, size)).astype("float32")


def test_similarity_is_one_hidden_layer_with_relu():
    head = SimilarityHead(5, 7, 3)
    h = _rows()
    hidden = np.maximum(h @ np.asarray(head.hidden.kernel), 0)
    expected = hidden @ np.asarray(head.projection.kernel)
    np.testing.assert_allclose(head(h), expected, atol=1e-5)


def test_coincidence_logits_equal_those_of_concatenated_pairs():
    head = CoincidenceHead(5, 11)
    rng = np.random.default_rng(1)
    h_m, h_c = rng.normal(size=(2, 3, 5)).astype("float32")
    kernel = np.concatenate([head.first.kernel, head.second.kernel])
    bias = rng.normal(size=11).astype("float32")
    head.first.bias.assign(bias)
    pairs = [[np.concatenate([m, c]) for c in h_c] for m in h_m]
    hidden = np.maximum(pairs @ kernel + bias, 0)  # (3, 3, 11)
    expected = (hidden @ np.asarray(head.logit.kernel))[..., 0]
    np.testing.assert_allclose(head(h_m, h_c), expected, atol=1e-5)


def test_linear_scores_are_sigmoids_of_one_layer():
    classifier = LinearClassifier(5, 3)
    random = np.random.default_rng(1)
    kernel, bias = random.normal(size=(5, 3)), random.normal(size=3)
    classifier.logits.set_weights([kernel, bias])
    h = random.normal(size=(4, 5)).astype("f4")
    np.testing.assert_allclose(
        classifier(h), 1 / (1 + np.exp(-(h @ kernel + bias))), atol=1e-6
    )


HEADS = {
    "similarity": lambda: SimilarityHead(5, 7, 3),
    "coincidence": lambda: CoincidenceHead(5, 7),
    "linear": lambda: LinearClassifier(5, 3),
}


@pytest.mark.parametrize("name", HEADS)
def test_file_round_trip(name, tmp_path):
    head, h = HEADS[name](), _rows()
    inputs = (h, h[:3]) if name == "coincidence" else (h,)
    head.save(tmp_path / "head.keras")
    again = keras.saving.load_model(tmp_path / "head.keras")
    assert again.get_config() == head.get_config()
    np.testing.assert_array_equal(again(*inputs), head(*inputs))


@pytest.mark.parametrize("name", HEADS)
def test_reduced_precision_rounds_nothing(name):
    head, h = HEADS[name](), _rows()
    inputs = (h, h[:3]) if name == "coincidence" else (h,)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    reduced = HEADS[name]()
    reduced.set_weights(head.get_weights())
    assert reduced(*inputs).dtype == "float32"
    np.testing.assert_array_equal(reduced(*inputs), head(*inputs))
