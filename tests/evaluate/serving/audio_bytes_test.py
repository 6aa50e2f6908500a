"""WAV files as strings, against what embed.py makes of the same files."""

import io

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from data.audio import sound_file
from evaluate.serving import saved_model
from evaluate.serving.resampling import rates_to
from evaluate.serving.signatures import signatures
from tests.evaluate.toy_runs import toy_clip, toy_model


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """An encoder, and `audio_bytes` of its SavedModel."""
    model = toy_model()
    path = tmp_path_factory.mktemp("served") / "1"
    found = signatures({"encoder": model})
    saved_model.write({"audio_bytes": found["audio_bytes"]}, path)
    loaded = tf.saved_model.load(str(path))
    return model, loaded.signatures["audio_bytes"]


def _wav(rate_hz, channels, subtype, seconds=1.3, **options):
    audio = np.stack(
        [
            np.resize(toy_clip(channel, 2, (channel % 3,)), rate_hz * 2)
            for channel in range(channels)
        ],
        axis=1,
    )[: round(seconds * rate_hz)]
    file = io.BytesIO()
    soundfile.write(
        file, audio, rate_hz, **{"format": "WAV", "subtype": subtype} | options
    )
    return file.getvalue()


FILES = {
    **{
        f"{rate}Hz": _wav(
            rate, 1 + number % 6, ("PCM_16", "PCM_24")[number % 2]
        )
        for number, rate in enumerate(rates_to(16000))
    },
    **{
        subtype: _wav(16000, 2, subtype)
        for subtype in ("PCM_U8", "PCM_32", "FLOAT", "DOUBLE")
    },
    "six channels": _wav(48000, 6, "PCM_24"),
    "extensible": _wav(44100, 2, "PCM_16", format="WAVEX"),
    "short": _wav(44100, 1, "PCM_16", 0.01),
    "long": _wav(8000, 1, "PCM_16", 2.0),
}


def test_a_batch_of_files_is_what_the_encoder_gives_of_them(served, tmp_path):
    model, embed = served
    answer = embed(audio_bytes=tf.constant(list(FILES.values())))
    assert answer["valid"].numpy().all()
    for name, file, found in zip(
        FILES, FILES.values(), answer["embedding"].numpy(), strict=True
    ):
        path = tmp_path / "a.wav"
        path.write_bytes(file)
        audio = sound_file.read_clip(path, model.sample_rate_hz).audio
        expected = model(audio[None])[0]
        difference = np.abs(found - expected).max()
        assert difference <= 1e-4, (name, difference)
    assert embed(audio_bytes=tf.constant([], tf.string))["embedding"].shape == (
        0,
        11,
    )


def test_headers_that_do_not_know_their_length(served):
    _, embed = served
    file = bytearray(FILES["16000Hz"])
    start = file.index(b"data") + 4
    expected = embed(audio_bytes=tf.constant([bytes(file)]))["embedding"]
    for size in (0xFFFFFFFF, 0x7FFFFFF0, len(file)):
        file[start : start + 4] = size.to_bytes(4, "little")
        # A byte that is no whole sample is left out.
        for more in (b"", b"\0"):
            found = embed(audio_bytes=tf.constant([bytes(file) + more]))
            np.testing.assert_array_equal(found["embedding"], expected)


def test_no_samples_or_bad_ones_are_not_valid(served):
    _, embed = served
    nan = io.BytesIO()
    bad = np.full(999, np.nan)
    soundfile.write(nan, bad, 16000, format="WAV", subtype="FLOAT")
    files = [_wav(16000, 1, "PCM_16", 0), nan.getvalue(), FILES["FLOAT"]]
    answer = embed(audio_bytes=tf.constant(files))
    assert answer["valid"].numpy().tolist() == [False, False, True]
    assert not answer["embedding"].numpy()[:2].any()


def _with(at, value, size):
    file = bytearray(FILES["16000Hz"])
    place = file.index(b"fmt ") + 8 + at
    file[place : place + size] = value.to_bytes(size, "little")
    return bytes(file)


HOSTILE = {
    b"": "no WAV",
    b"RIFF": "no WAV",
    b"fLaC" + bytes(99): "no WAV",
    b"RIFF\xff\xfe\xfd\xfcWAVE": "without sound",
    FILES["16000Hz"][:30]: "without sound",
    FILES["16000Hz"].replace(b"fmt ", b"junk"): "without sound",
    b"RIFF1234WAVEdata" + bytes(99): "without sound",
    _with(0, 2, 2): "not of PCM",
    _with(2, 0, 2): "not of PCM",
    _with(12, 0, 2): "not of PCM",
    _with(14, 12, 2): "not of PCM",
    _with(4, 44101, 4): "none of the rates 8000, .* Hz",
    _with(4, 0xFFFFFFFF, 4): "none of the rates",
}


def test_hostile_bytes_are_an_error_of_that_request_alone(served):
    _, embed = served
    good = FILES["16000Hz"]
    expected = embed(audio_bytes=tf.constant([good]))["embedding"]
    for file, message in HOSTILE.items():
        with pytest.raises(tf.errors.InvalidArgumentError) as told:
            embed(audio_bytes=tf.constant([good, file]))
        line = str(told.value)
        assert told.match(message) and "which one:] [1]" in line
        found = embed(audio_bytes=tf.constant([good]))["embedding"]
        np.testing.assert_array_equal(found, expected)


def test_damaged_bytes_are_answered_or_refused(served):
    """Never anything else, and what is answered is finite."""
    _, embed = served
    random = np.random.default_rng(0)
    outcomes = {"answered": 0, "refused": 0}
    for _ in range(60):
        file = bytearray(FILES["short"])
        file[random.integers(60)] = random.integers(256)
        cut = random.integers(len(file)) if random.random() < 0.3 else None
        try:
            answer = embed(audio_bytes=tf.constant([bytes(file[:cut])]))
            assert np.isfinite(answer["embedding"]).all()
            outcomes["answered"] += 1
        except tf.errors.InvalidArgumentError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 5
