"""The separator with weights of the reference, against its stored values."""

import numpy as np
import pytest
import tensorflow as tf

from models.losses.mixit import mixit_loss
from models.separation import reference_weights
from models.separation.separator import Separator
from tests.agreement import largest_difference
from tests.golden.loading import load

BASES = ["learned", "stft"]
TINY = {"bottleneck": 5, "conv_channels": 7, "num_repeats": 1}
SOURCE = "sound-separation"


def _load(basis, part):
    return load(f"separator_{basis}_{part}")


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
    expected = {
        "basis": basis,
        "num_sources": 4,
        "bottleneck": 32,
        "conv_channels": 64,
        "num_repeats": 2,
        "consistency": "predicted",
    }
    assert separator.get_config().items() >= expected.items()
    sizes = {"learned": (40, 20), "stft": (512, 128)}
    transform = separator.transform
    assert (transform.window_samples, transform.hop_samples) == sizes[basis]


def test_channels_equal_the_reference(agrees, case):
    basis, separator, signals = case
    channels = separator(signals["mixture"])
    difference = largest_difference(
        channels[:, :, ::17], signals["separated_every_17th"]
    )
    agrees(f"TDCN++, {basis} basis: channels", SOURCE, difference, 2e-6)
    odd = separator(signals["odd_mixture"][:, 0])  # (1, 4, 12345)
    difference = largest_difference(odd, signals["odd_separated"])
    agrees(f"TDCN++, {basis} basis: odd length", SOURCE, difference, 2e-6)


def test_inner_values_equal_the_reference(agrees, case):
    basis, separator, signals = case
    stored = signals | _load(basis, "intermediates")
    frames = stored["frame_idx"]
    coefficients, features = separator.transform.analyse(signals["mixture"])

    def check(name, value, tolerance, part="inner values"):
        difference = largest_difference(value, stored[name])
        agrees(f"TDCN++, {basis} basis: {part}", SOURCE, difference, tolerance)

    def at_frames(value):
        return np.asarray(value)[:, frames]

    if basis == "stft":
        real, imag = coefficients
        check("stft", at_frames(real) + 1j * at_frames(imag), 1e-5, "STFT")
        check("mag_normalised", at_frames(features), 2e-4)
    else:
        check("encoder_coeffs", at_frames(features), 1e-6, "coefficients")
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
    check("mask", np.asarray(masks)[:, :, frames], 5e-5, "masks")
    before = separator.transform.synthesise(masks, coefficients, 16000)
    check("mix_weights", weights, 1e-5, "mix weights")
    check("pre_consistency_head", before[..., :500], 2e-6, "not yet consistent")
    check(
        "pre_consistency_tail", before[..., -500:], 2e-6, "not yet consistent"
    )


def test_loss_and_gradients_equal_the_reference(agrees, case):
    basis, separator, signals = case
    stored = _load(basis, "gradients")
    with tf.GradientTape() as tape:
        channels = separator(signals["mixture"])
        loss, mix_matrix = mixit_loss(signals["references"], channels)
        mean = tf.reduce_mean(loss)
    part = f"TDCN++, {basis} basis"
    difference = largest_difference(loss, signals["mixit_loss"])
    agrees(f"{part}: MixIT loss", SOURCE, difference, 1e-4, "dB")
    np.testing.assert_array_equal(mix_matrix, signals["mixit_mix_matrix"])
    names = reference_weights.variables_by_reference_name(separator)
    assert sorted(names) == sorted(stored)
    gradients = tape.gradient(mean, [v.value for v in names.values()])
    norm = np.sqrt(sum(np.sum(g**2) for g in stored.values()))
    for name, gradient in zip(names, gradients, strict=True):
        difference = np.ravel(gradient) - np.ravel(stored[name])
        share = np.linalg.norm(difference) / norm
        agrees(f"{part}: gradients (of all)", SOURCE, share, 1e-4)


def test_optimizer_slots_and_counters_are_ignored(case):
    basis, separator, _ = case
    arrays = _load(basis, "checkpoint")
    assert "global_step" in arrays
    for name in list(arrays):
        arrays[f"{name}/Adam"] = np.full(7, np.nan)
        arrays[f"{name}/Adam_1"] = np.full(7, np.nan)
    arrays["beta1_power"] = np.float32(0.9)
    loaded = reference_weights.separator_from_reference(arrays, 16000, 4)
    for ours, theirs in zip(loaded.variables, separator.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "basis, rate_hz, window, hop",
    [
        ("learned", 22050, 55, 28),
        # 705.6 and 176.4 samples.
        ("stft", 22050, 706, 176),
        ("stft", 11025, 353, 88),
    ],
)
def test_rates_round_as_in_the_reference(basis, rate_hz, window, hop):
    transform = Separator(2, rate_hz, basis, **TINY).transform
    assert (transform.window_samples, transform.hop_samples) == (window, hop)


def _refused(message, basis="stft", arrays=None, **changes):
    if arrays is None:
        arrays = _load(basis, "checkpoint")
    with pytest.raises(ValueError, match=message):
        reference_weights.separator_from_reference(
            arrays, **{"num_dilations": 4, **changes}
        )


@pytest.mark.parametrize(
    "basis,changes,message",
    [
        (
            "learned",
            {"sample_rate_hz": 22050},
            "conv_encoder/dense/kernel has 40 samples a window, but "
            "sample_rate_hz=22050 and window_s=default give 55 .*name the rate",
        ),
        (
            "stft",
            {"window_s": 0.064},
            "initial_dense/dense/kernel has 257 bins, but sample_rate_hz=16000 "
            r"and window_s=0.064 give 513 \(a window of 1024 samples\)",
        ),
        (
            "stft",
            {"consistency": "uniform"},
            "mix_weights/dense/kernel is in the checkpoint.*='uniform'",
        ),
        ("stft", {"num_dilations": 3}, "num_dilations=3 for 8 blocks"),
    ],
)
def test_what_contradicts_the_shapes_is_refused(basis, changes, message):
    _refused(message, basis, **changes)


def test_without_mix_weights_the_consistency_must_be_named():
    arrays = _load("stft", "checkpoint")
    del arrays["mix_weights/dense/kernel"]
    for given in (None, "predicted"):
        _refused("one of .'none', 'unif", arrays=arrays, consistency=given)
    separator = reference_weights.separator_from_reference(
        arrays, num_dilations=4, consistency="magsq", hop_s=0.004
    )
    assert separator.consistency == "magsq"
    assert separator.transform.hop_samples == 64


@pytest.fixture(scope="module")
def config():
    return _separator("stft").get_config()


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"num_sources": 2}, r"dense/kernel.*\(32, 514\).*\(32, 1028\)"),
        ({"bottleneck": 31}, r"initial_dense.*\(257, 31\).*\(257, 32\)"),
        ({"num_repeats": 3}, "conv_block_8.*no such variable"),
        ({"basis": "learned"}, "conv_encoder/dense/kernel.*no such"),
        ({"consistency": "magsq"}, r"mix_weights.*no such.*shape \(32, 4\)"),
    ],
)
def test_misfits_are_named_and_change_nothing(config, changes, message):
    separator = Separator(**{**config, **changes})
    before = [v.numpy() for v in separator.variables]
    with pytest.raises(ValueError, match=message):
        reference_weights.load_reference_weights(
            separator, _load("stft", "checkpoint")
        )
    for old, variable in zip(before, separator.variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_a_foreign_checkpoint_is_refused():
    _refused("no such variable at initial_dense", arrays={"a": np.zeros(3)})
    arrays = {"initial_dense/dense/kernel": np.zeros(3)}
    _refused(r"shape \(3,\) at initial_dense", arrays=arrays)


def test_an_array_that_does_not_fit_is_refused():
    arrays = _load("stft", "checkpoint")
    kernel = arrays["dense/kernel"]
    arrays["dense/kernel"] = kernel[:, :1000]
    message = r"at dense/kernel: .*\(32, 771\), the checkpoint.*\(32, 1000\)"
    _refused(message, arrays=arrays)
    arrays["dense/kernel"] = kernel
    arrays["improved_tdcn/residue_0_4/dense/kernel"] = np.zeros((32, 32))
    message = r"residue_0_4.*no such variable, the checkpoint shape \(32, 32\)"
    _refused(message, arrays=arrays)
