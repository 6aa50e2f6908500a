import keras
import numpy as np
import pytest

from models.cnn14.cnn14 import CNN14
from models.cnn14.folded import FoldedCNN14, FoldedConvolution
from models.cnn14.panns_weights import load_panns_weights
from models.cnn14.winograd import winograd
from models.heads.linear_classifier import LinearClassifier
from tests.agreement import largest_difference
from tests.golden.loading import load
from tests.models.cnn14 import panns_recipe

SOURCE = "audioset_tagging_cnn"


@pytest.fixture(scope="module")
def network():
    """The encoder and the classifier that the stored values are of."""
    encoder = CNN14(embedding_dim=None, hidden_layer=True)
    classifier = LinearClassifier(encoder.embedding_dim, 527)
    load_panns_weights(encoder, panns_recipe.state_dict(), classifier)
    return encoder, classifier


# 500 frames are 15 after five poolings that round down.
@pytest.mark.parametrize("frames, suffix", [(96, ""), (500, "_500")])
@pytest.mark.parametrize("start", ["with_bn0", "after_bn0"])
def test_full_width_values_are_those_of_the_reference(
    agrees, network, start, frames, suffix
):
    encoder, classifier = network
    golden = load("cnn14")
    x = golden[f"input{suffix}"]
    if start == "with_bn0":
        x = np.asarray(encoder.bn0(x))
    x = x[..., None]
    for block in encoder.blocks:
        x = block(x)
    x = np.mean(x, axis=2)
    pooled = x.max(axis=1) + x.mean(axis=1)
    embedding = np.asarray(encoder.fc1(pooled))
    if start == "with_bn0":
        np.testing.assert_allclose(
            encoder(golden[f"input{suffix}"]), embedding, atol=1e-5
        )
    for part, value, key, tolerance in (
        ("pooled", pooled, "pooled", 1e-4),
        ("embedding", embedding, "embedding", 1e-4),
        ("class scores", classifier(embedding), "clipwise_output", 1e-5),
    ):
        stored = golden[f"{start}_{key}{suffix}"]
        difference = largest_difference(value, stored)
        agrees(f"CNN14, {frames} frames: {part}", SOURCE, difference, tolerance)


def test_blocks_are_those_of_the_reference(agrees, network):
    encoder, _ = network
    golden = load("cnn14")
    normed = np.asarray(encoder.bn0(golden["input"]))
    part = "CNN14: first batch norm"
    difference = largest_difference(
        normed[:, 0], golden["with_bn0_first_frame"]
    )
    agrees(part, SOURCE, difference, 1e-6)
    for start, measure, x in (
        ("after_bn0", "mean", golden["input"]),
        ("with_bn0", "std", normed),
    ):
        x = x[..., None]
        for number, block in enumerate(encoder.blocks, start=1):
            x = np.asarray(block(x))
            key = f"{start}_block{number}"
            # Stored as (channel, time, mel).
            first = x.transpose(0, 3, 1, 2).reshape(2, -1)[:, :64]
            of_channels = getattr(np, measure)(x, axis=(1, 2))
            for value, stored in (
                (first, golden[f"{key}_first64"]),
                (of_channels, golden[f"{key}_channel_{measure}"]),
            ):
                difference = largest_difference(value, stored)
                agrees("CNN14: blocks", SOURCE, difference, 1e-4)


def test_the_network_is_served_folded_and_where_it_is_winograds(network):
    """Of the weights, batch norms go and five kernels grow by 7 / 9."""
    encoder, _ = network
    served = FoldedCNN14(encoder, 96, 64)
    convolutions = [
        part for part in served.parts if isinstance(part, FoldedConvolution)
    ]
    chosen = [part.convolve is winograd for part in convolutions]
    assert chosen == [False] * 5 + [True] * 5 + [False] * 2
    log_mel = np.random.default_rng(1).normal(size=(2, 96, 64))
    expected = np.asarray(encoder(log_mel))
    difference = np.abs(served(log_mel) - expected).max()
    assert difference <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("embedding_dim", [7, None])
def test_config_and_file_round_trip(embedding_dim, tmp_path):
    model = CNN14(embedding_dim, 0.0625, True, 40, 0.1, 0.3)
    assert CNN14.from_config(model.get_config()).get_config() == (
        model.get_config()
    )
    model.save(tmp_path / "m.keras")
    x = np.random.default_rng(1).normal(size=(3, 70, 40)).astype("f4")
    again = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again(x), model(x))


def test_dropout_and_batch_statistics_act_in_training_only():
    model = CNN14(5, 0.0625)
    x = np.random.default_rng(1).normal(size=(4, 64, 64)).astype("f4")
    np.testing.assert_array_equal(model(x), model(x))
    assert np.abs(model(x, training=True) - model(x)).max() > 1e-3
    # PyTorch's momentum of 0.1 moves a tenth of the way to the batch.
    np.testing.assert_allclose(
        model.bn0.moving_mean, 0.1 * x.mean((0, 1)), atol=1e-6
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_segments_one_after_the_other_are_the_network(training, precision):
    keras.mixed_precision.set_global_policy(precision)
    values = np.random.default_rng(1).normal(size=(4, 70, 64)).astype("f4")
    models = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        models.append(CNN14(5, 0.0625, hidden_layer=True))
    x = values
    for segment in models[0].segments():
        for part in segment:
            x = part(x, training=training)
    np.testing.assert_array_equal(x, models[1](values, training=training))
    for one, other in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("hidden_layer", [False, True])
def test_without_a_bottleneck_h_is_what_would_enter_it(hidden_layer):
    x = np.random.default_rng(1).normal(size=(3, 70, 64)).astype("f4")
    model = CNN14(5, 0.0625, hidden_layer)
    seen = []
    bottleneck = model.bottleneck.call
    model.bottleneck.call = lambda h, **_: seen.append(h) or bottleneck(h)
    model(x)
    without = CNN14(None, 0.0625, hidden_layer)
    without.set_weights(model.get_weights()[:-2])
    assert without.embedding_dim == 128
    np.testing.assert_array_equal(without(x), seen[0])
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    assert CNN14(None, 0.0625)(x).dtype == "float32"


def test_hidden_dropout_acts_on_both_sides_of_the_hidden_layer():
    def in_training(**kwargs):
        model = CNN14(None, 0.0625, True, dropout=0, **kwargs)
        # Pooled features and weights that let the layer add one to one.
        model.fc1.set_weights([np.eye(128), np.ones(128)])
        h = np.ones((9, 128), "f4")
        for part in model.segments()[-1][1:]:
            h = part(h, training=True)
        return np.asarray(h)

    # What is kept is doubled: 2 (2 + 1), 2 (0 + 1), or 0.
    values, counts = np.unique(in_training(), return_counts=True)
    np.testing.assert_array_equal(values, [0, 2, 6])
    shares = counts / counts.sum()
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.05)
    np.testing.assert_array_equal(in_training(hidden_dropout=0), 2)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"embedding_dim": 0}, "embedding_dim=0"),
        ({"width": 0.001}, "width=0.001"),
        ({"mel_bands": 31}, "mel_bands=31"),
    ],
)
def test_bad_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CNN14(**arguments)
