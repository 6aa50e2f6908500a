import numpy as np
import pytest

from models.cnn14.cnn14 import CNN14
from models.cnn14.panns_weights import load_panns_weights
from models.heads.linear_classifier import LinearClassifier
from tests.models.cnn14 import panns_recipe

CLASSES = 5


@pytest.fixture
def arrays():
    return panns_recipe.state_dict(first_channels=4, num_classes=CLASSES)


def _network():
    encoder = CNN14(None, 0.0625, hidden_layer=True)
    return encoder, LinearClassifier(encoder.embedding_dim, CLASSES)


def test_every_weight_is_set(arrays):
    encoder, classifier = _network()
    load_panns_weights(encoder, arrays, classifier)
    values = {
        weight.path: weight.numpy()
        for model in (encoder, classifier)
        for weight in model.weights
    }
    assert len(values) == len(arrays)
    # Sums tell the arrays apart, in any layout.
    np.testing.assert_allclose(
        sorted(value.sum() for value in values.values()),
        sorted(value.sum() for value in arrays.values()),
        rtol=1e-4,
    )
    np.testing.assert_array_equal(
        encoder.blocks[2].conv2.kernel[1, 2, 3, 4],
        arrays["conv_block3.conv2.weight"][4, 3, 1, 2],
    )
    np.testing.assert_array_equal(
        classifier.logits.kernel[7, 3], arrays["fc_audioset.weight"][3, 7]
    )


def test_bottleneck_front_end_and_counters_play_no_part(arrays):
    encoder = CNN14(3, 0.0625, hidden_layer=True)
    bottleneck = encoder.bottleneck.get_weights()
    arrays["logmel_extractor.melW"] = np.ones((257, 64))
    arrays["spectrogram_extractor.stft.conv_real.weight"] = np.ones(2)
    arrays["conv_block1.bn1.num_batches_tracked"] = np.int64(9)
    load_panns_weights(encoder, arrays, LinearClassifier(128, CLASSES))
    for old, new in zip(
        bottleneck, encoder.bottleneck.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "name, array, told",
    [
        (
            "conv_block2.conv1.weight",
            np.ones((8, 4, 3, 5)),
            r"\(8, 4, 3, 5\) in .*, \(8, 4, 3, 3\) in the network",
        ),
        ("fc_audioset.weight", np.ones((6, 128)), r"\(6, 128\).*\(5, 128\)"),
        ("conv_block7.conv1.weight", np.ones((2, 3)), r"\(2, 3\).* \(absent\)"),
        ("bn0.bias", None, r"\(absent\) in .*, \(64,\) in the network"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_fit_is_named_and_nothing_is_set(
    arrays, name, array, told
):
    arrays.pop(name, None)
    if array is not None:
        arrays[name] = array
    encoder, classifier = _network()
    before = encoder.get_weights() + classifier.get_weights()
    with pytest.raises(ValueError, match=f"{name} has shape {told}"):
        load_panns_weights(encoder, arrays, classifier)
    after = encoder.get_weights() + classifier.get_weights()
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)
