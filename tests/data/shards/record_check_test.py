import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec, encoding
from data.shards import example_parser, example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.record_check import find_fault, parse_checked

AUDIO = np.random.default_rng(0).uniform(-0.5, 0.5, 300)


def info(audio_format="pcm16"):
    return DatasetInfo(
        "nowhere",
        16000,
        audio_format,
        ("a", "b", "c"),
        {},
        processors=("P",),
        num_channels=2,
        has_stems=True,
    )


def encode(audio, audio_format="pcm16"):
    return encoding.encode(audio, audio_format, 16000)


def record(audio_format="pcm16", channels=None, **changes):
    sound = encode(AUDIO, audio_format)
    clip = {"labels": (0, 2), "audio": sound, "num_samples": 300}
    clip |= {"stems": 3 * (sound,), "stem_names": ("a", "b", "c")}
    return example_schema.with_channels(
        example_schema.serialize("x/é.wav", "x", 0.0, **clip | changes),
        {"P": (sound, sound)} if channels is None else channels,
    )


def changed(key, **value):
    """A good record with one feature replaced, or removed."""
    example = tf.train.Example.FromString(record())
    del example.features.feature[key]
    for kind, values in value.items():
        feature = example.features.feature[key]
        getattr(feature, kind).value.extend(values)
    return example.SerializeToString()


def graph_accepts(serialized, described):
    """As readers do it: parsed with all that there is, and decoded."""

    def decode(value):
        clip = parse_checked(value, described, ("P",), stems=True)
        key = example_schema.channels_key("P")
        sounds = tf.concat(
            [clip[example_schema.AUDIO][None], clip[key]]
            + [clip[example_schema.STEMS]],
            axis=0,
        )
        return tf.map_fn(
            lambda sound: codec.decode(sound, described.audio_format),
            sounds,
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )

    dataset = tf.data.Dataset.from_tensors(serialized).map(decode)
    return len([*dataset.ignore_errors()]) == 1


@pytest.mark.parametrize("audio_format", encoding.AUDIO_FORMATS)
def test_a_good_record_has_no_fault(audio_format):
    good = record(audio_format)
    assert find_fault(good, info(audio_format)) is None
    assert graph_accepts(good, info(audio_format))
    parsed = parse_checked(tf.constant(good), info(audio_format), ("P",), True)
    expected = example_parser.parse(tf.constant(good), ("P",), 2, True)
    assert parsed.keys() == expected.keys()
    for key in parsed:
        np.testing.assert_array_equal(parsed[key], expected[key])


SOUND = encode(AUDIO)
NO_CHANNELS = record(channels={})
# What is told of a record that has nothing else against it.
FAULTS = {
    "not_an_example: its bytes are no tf.train": b"\xff\x01" * 40,
    "not_an_example: it has no version": b"",
    "not_an_example: it has no clip/id, or several": changed(
        "clip/id", bytes_list=[b"a", b"b"]
    ),
    "not_an_example: it has no audio/num_samples": changed(
        "audio/num_samples", float_list=[300.0]
    ),
    "wrong_version: version 7, not 1": changed("version", int64_list=[7]),
    "wrong_shape: label 3 of 3": changed("clip/labels", int64_list=[1, 3]),
    "wrong_shape: label -1": changed("clip/labels", int64_list=[-1]),
    "wrong_shape: it has 0 samples": record(audio=b"", num_samples=0),
    "undecodable: audio/encoded: 601 bytes": record(audio=SOUND + b"x"),
    "wrong_shape: audio/encoded has 300 samples, not 299": record(
        num_samples=299
    ),
    "wrong_shape: channels/P has 0 sounds, not 2": NO_CHANNELS,
    "wrong_shape: channels/P has 299 samples": record(
        channels={"P": (SOUND, SOUND[:-2])}
    ),
    "wrong_shape: stems/encoded has 3 sounds, not 2": record(
        stem_names=("a", "b")
    ),
}
FLAC_FAULTS = {
    "undecodable: audio/encoded: no FLAC": record("flac", audio=SOUND),
    "wrong_shape: audio/encoded has 299": record(
        "flac", audio=encode(AUDIO[1:], "flac")
    ),
}


@pytest.mark.parametrize("reason", FAULTS | FLAC_FAULTS)
def test_a_fault_has_a_cause_and_stops_the_graph(reason):
    serialized = (FAULTS | FLAC_FAULTS)[reason]
    described = info("flac" if reason in FLAC_FAULTS else "pcm16")
    assert ": ".join(find_fault(serialized, described)).startswith(reason)
    assert not graph_accepts(serialized, described)


def test_only_what_is_wanted_is_checked():
    bad = tf.constant(NO_CHANNELS)
    clip = parse_checked(bad, info())
    assert clip[example_schema.NUM_SAMPLES] == 300
    with pytest.raises(tf.errors.InvalidArgumentError):
        parse_checked(bad, info(), ("P",))
