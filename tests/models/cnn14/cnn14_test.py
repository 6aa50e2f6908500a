import zlib

import keras
import numpy as np
import pytest

from models.cnn14.cnn14 import CNN14
from models.cnn14.panns_weights import load_panns_weights
from tests.golden.loading import load


def _recipe_weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The weights the stored outputs were made with follow from names."""
    seed = zlib.crc32(f"{name}#shared".encode()) & 0x7FFFFFFF
    random = np.random.RandomState(seed)
    if ".conv" in name:
        scale = np.sqrt(2 / (shape[1] * 9))
        return random.normal(0, scale, shape).astype("float32")
    if name.startswith("fc") and name.endswith("weight"):
        return random.normal(0, np.sqrt(1 / shape[1]), shape).astype("float32")
    if name.endswith(("running_var", "weight")):
        return random.uniform(0.5, 1.5, shape).astype("float32")
    return random.normal(0, 0.1, shape).astype("float32")


def _recipe() -> dict[str, np.ndarray]:
    shapes = {"fc1.weight": (2048, 2048), "fc1.bias": (2048,)}
    widths = [1, 64, 128, 256, 512, 1024, 2048]
    norms = {"bn0": 64}
    for block in range(1, 7):
        for number in (1, 2):
            channels = widths[block - 1] if number == 1 else widths[block]
            name = f"conv_block{block}"
            shapes[f"{name}.conv{number}.weight"] = (
                widths[block],
                channels,
                3,
                3,
            )
            norms[f"{name}.bn{number}"] = widths[block]
    for name, size in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (size,)
    return {name: _recipe_weights(name, s) for name, s in shapes.items()}


@pytest.fixture(scope="module")
def encoder():
    model = CNN14(hidden_layer=True)
    load_panns_weights(model, _recipe())
    return model


def test_full_width_values_are_those_of_the_reference(encoder):
    golden = load("cnn14")
    pooled = np.asarray(encoder.pool(golden["input"]))
    np.testing.assert_allclose(
        pooled, golden["with_bn0_pooled"], atol=1e-4, rtol=0
    )
    np.testing.assert_allclose(
        np.asarray(encoder.fc1(pooled)),
        golden["with_bn0_embedding"],
        atol=1e-4,
        rtol=0,
    )


def test_odd_lengths_are_floored_as_in_the_reference(encoder):
    golden = load("cnn14")
    np.testing.assert_allclose(
        np.asarray(encoder.pool(golden["input_500"])),
        golden["with_bn0_pooled_500"],
        atol=1e-4,
        rtol=0,
    )


def test_blocks_are_those_of_the_reference(encoder):
    golden = load("cnn14")
    x = golden["input"][..., None]
    for number, block in enumerate(encoder.blocks, start=1):
        x = np.asarray(block(x))
        key = f"after_bn0_block{number}_channel_mean"
        if key in golden:
            np.testing.assert_allclose(
                x.mean(axis=(1, 2)), golden[key], atol=1e-4
            )


def test_parameter_counts():
    def count(**kwargs):
        return CNN14(**kwargs).count_params()

    model = CNN14()
    convolutions = sum(
        int(np.prod(layer.kernel.shape))
        for block in model.blocks
        for layer in (block.conv1, block.conv2)
    )
    assert convolutions == 75_461_184
    # With batch norms (moving statistics too) and the bottleneck: "~75M".
    assert model.count_params() == 75_755_968
    assert count(hidden_layer=True) == 75_755_968 + 2048 * 2049
    assert count(embedding_dim=1024) == 75_755_968 + 896 * 2049
    assert count(width=0.125) == 1_216_328


def test_config_and_file_round_trip(tmp_path):
    model = CNN14(7, 0.0625, True, 40, 0.1)
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


def test_wrong_weights_name_both_shapes():
    with pytest.raises(ValueError, match=r"conv1.weight.*64.*\(3, 3, 1, 4\)"):
        load_panns_weights(CNN14(width=0.0625), _recipe())
    with pytest.raises(ValueError, match="lack conv_block1.conv1.weight"):
        load_panns_weights(CNN14(width=0.0625), {})
