"""The separator with weights of the reference, against its stored values."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from models.losses.mixit import mixit_loss
from models.separation import reference_weights
from models.separation.separator import Separator

GOLDEN = Path(__file__).parents[2] / "golden"
BASES = ["learned", "stft"]


def _load(basis, part):
    return dict(np.load(GOLDEN / f"separator_{basis}_{part}.npz"))


def _separator(basis):
    return reference_weights.separator_from_reference(
        _load(basis, "checkpoint"), num_dilations=4
    )


@pytest.fixture(scope="module", params=BASES)
def case(request):
    signals = _load(request.param, "signals")
    # Exactly so in the stored float32 values.
    signals["mixture"] = signals["references"].sum(axis=1)
    return request.param, _separator(request.param), signals


def test_architecture_is_read_from_the_shapes(case):
    basis, separator, _ = case
    assert separator.basis == basis
    assert separator.num_sources == 4
    assert separator.bottleneck == 32
    assert separator.conv_channels == 64
    assert separator.num_repeats == 2
    assert separator.consistency == "predicted"
    params = {"learned": 96481, "stft": 76163}
    assert separator.count_params() == params[basis]
    sizes = {"learned": (40, 20), "stft": (512, 128)}
    transform = separator.transform
    assert (transform.window_samples, transform.hop_samples) == sizes[basis]


def test_channels_equal_the_reference(case):
    _, separator, signals = case
    channels = separator(signals["mixture"])
    np.testing.assert_allclose(
        channels[:, :, ::3], signals["separated_every_third"], atol=2e-6
    )


def test_odd_length_equals_the_reference(case):
    _, separator, signals = case
    channels = separator(signals["odd_mixture"][:, 0])
    assert channels.shape == (1, 4, 12345)
    np.testing.assert_allclose(channels, signals["odd_separated"], atol=2e-6)


def test_inner_values_equal_the_reference(case):
    basis, separator, signals = case
    stored = _load(basis, "intermediates")
    frames = stored["frame_idx"]
    coefficients, features = separator.transform.analyse(signals["mixture"])

    def check(name, value, atol):
        np.testing.assert_allclose(
            np.asarray(value), stored[name], atol=atol, err_msg=name
        )

    def at_frames(value):
        return np.asarray(value)[:, frames]

    if basis == "stft":
        real, imag = coefficients
        check("stft", at_frames(real) + 1j * at_frames(imag), 1e-5)
        check("mag_normalised", at_frames(features), 2e-4)
    else:
        check("encoder_coeffs", at_frames(features), 1e-6)
    x = separator.tdcn.initial_dense(features)
    check("initial_dense", at_frames(x), 2e-4)
    for index, block in enumerate(separator.tdcn.blocks):
        if index < 2:
            y = block.norm_1(block.activation_1(block.expand(x)))
            check(f"b{index}_normact1", at_frames(y), 2e-4)
            y = block.convolution(y)
            check(f"b{index}_timeconv", at_frames(y), 2e-4)
            y = block.norm_2(block.activation_2(y))
            check(f"b{index}_normact2", at_frames(y), 2e-4)
        x = block(x)
        check(f"block{index:02d}", at_frames(x), 2e-4)
    check("core_time_mean", np.mean(x, axis=1), 2e-4)
    masks, weights = separator.estimate_masks(features)
    check("mask", np.asarray(masks)[:, :, frames], 5e-5)
    np.testing.assert_allclose(weights, signals["mix_weights"], atol=1e-5)
    before = separator.transform.synthesise(masks, coefficients, 16000)
    np.testing.assert_allclose(
        before[..., :2000], signals["pre_consistency_head"], atol=2e-6
    )


def test_loss_and_gradients_equal_the_reference(case):
    basis, separator, signals = case
    stored = _load(basis, "gradients")
    with tf.GradientTape() as tape:
        channels = separator(signals["mixture"])
        loss, mix_matrix = mixit_loss(signals["references"], channels)
        mean = tf.reduce_mean(loss)
    np.testing.assert_allclose(loss, signals["mixit_loss"], atol=1e-4)
    np.testing.assert_array_equal(mix_matrix, signals["mixit_mix_matrix"])
    names = reference_weights.variables_by_reference_name(separator)
    assert sorted(names) == sorted(stored)
    gradients = tape.gradient(mean, [v.value for v, _ in names.values()])
    norm = np.sqrt(sum(np.sum(g**2) for g in stored.values()))
    for name, gradient in zip(names, gradients, strict=True):
        difference = np.ravel(gradient) - np.ravel(stored[name])
        assert np.linalg.norm(difference) < 1e-4 * norm, name


def test_optimizer_slots_and_counters_are_ignored(case):
    basis, separator, signals = case
    arrays = _load(basis, "checkpoint")
    assert "global_step" in arrays
    for name in list(arrays):
        arrays[f"{name}/Adam"] = np.full(7, np.nan)
        arrays[f"{name}/Adam_1"] = np.full(7, np.nan)
    arrays["beta1_power"] = np.float32(0.9)
    loaded = reference_weights.separator_from_reference(arrays, 16000, 4)
    for ours, theirs in zip(loaded.variables, separator.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _stft_separator(**changes):
    arguments = dict(
        num_sources=4,
        basis="stft",
        bottleneck=32,
        conv_channels=64,
        num_dilations=4,
        num_repeats=2,
    )
    return Separator(**{**arguments, **changes})


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"num_sources": 2}, r"dense/kernel.*\(32, 514\).*\(32, 1028\)"),
        ({"bottleneck": 31}, r"initial_dense.*\(257, 31\).*\(257, 32\)"),
        ({"num_repeats": 3}, "conv_block_8.*no such variable"),
        ({"num_repeats": 1}, r"conv_block_4/.*no such variable.*shape \("),
        ({"basis": "learned"}, "conv_encoder/dense/kernel.*no such"),
        ({"consistency": "magsq"}, r"mix_weights/dense/kernel.*\(32, 4\)"),
    ],
)
def test_misfits_are_named_and_change_nothing(changes, message):
    separator = _stft_separator(**changes)
    before = [v.numpy() for v in separator.variables]
    with pytest.raises(ValueError, match=message):
        reference_weights.load_reference_weights(
            separator, _load("stft", "checkpoint")
        )
    for old, variable in zip(before, separator.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_dilations_must_divide_the_blocks():
    with pytest.raises(ValueError, match="num_dilations=3 for 8 blocks"):
        reference_weights.separator_from_reference(
            _load("stft", "checkpoint"), num_dilations=3
        )


def test_a_foreign_checkpoint_is_refused():
    with pytest.raises(ValueError, match="initial_dense/dense/kernel is not"):
        reference_weights.separator_from_reference({"a": np.zeros(3)})
