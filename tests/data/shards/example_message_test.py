"""The same bytes as TensorFlow's own messages, both ways."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError

from data.shards import example_schema
from data.shards.example_message import Example

KINDS = ("bytes_list", "float_list", "int64_list")
NUMBERS = {
    "float_list": [0.0, -0.0, 1.5, 0.1, 3e38, 1e-45, float("inf")],
    "int64_list": [0, 1, -1, 127, 128, 300, 2**63 - 1, -(2**63)],
}


def fill(example, rng):
    """Features of all kinds, some of them empty or of no kind."""
    for _ in range(rng.integers(12)):
        letters = rng.choice([*"ab/ é犬\0🐶"], rng.integers(9))
        feature = example.features.feature["".join(letters)]
        kind = rng.choice([*KINDS, ""])
        if not kind:
            continue
        values = getattr(feature, kind)
        values.SetInParent()
        for _ in range(rng.integers(4)):
            if kind == "bytes_list":
                values.value.append(rng.bytes(rng.choice([0, 1, 127, 99_999])))
            else:
                values.value.append(rng.choice(NUMBERS[kind]).item())
    return example


@pytest.mark.parametrize("seed", range(60))
def test_any_example_has_the_bytes_of_tensorflow(seed):
    ours = fill(Example(), np.random.default_rng(seed))
    theirs = fill(tf.train.Example(), np.random.default_rng(seed))
    record = theirs.SerializeToString(deterministic=True)
    assert ours.SerializeToString(deterministic=True) == record
    again = Example.FromString(record)
    assert again == ours
    assert again.SerializeToString(deterministic=True) == record


def of_tensorflow(clip_id, source, start_s, labels, audio, num_samples, **more):
    """A clip as `example_schema.serialize` wrote it by TensorFlow."""
    train = tf.train

    def texts(values):
        return train.Feature(bytes_list=train.BytesList(value=values))

    def integers(values):
        return train.Feature(int64_list=train.Int64List(value=values))

    feature = {
        "version": integers([1]),
        "clip/id": texts([clip_id.encode()]),
        "clip/source": texts([source.encode()]),
        "clip/start_s": train.Feature(
            float_list=train.FloatList(value=[start_s])
        ),
        "clip/labels": integers(labels),
        "audio/encoded": texts([audio]),
        "audio/num_samples": integers([num_samples]),
        **{key: texts(values) for key, values in more.items()},
    }
    return train.Example(features=train.Features(feature=feature))


@pytest.mark.parametrize("seed", range(20))
def test_clips_have_the_bytes_of_tensorflow(seed):
    rng = np.random.default_rng(seed)
    clip = {
        "clip_id": str(rng.choice(["a.wav", "犬/é.wav#1.500", "x" * 300])),
        "source": str(rng.choice(["a.wav", "犬/é.wav", ""])),
        "start_s": float(rng.choice([0.0, 0.1, 1e6])),
        "labels": sorted(rng.choice(700, rng.integers(4)).tolist()),
        "audio": rng.bytes(rng.choice([0, 2, 320_000])),
        "num_samples": int(rng.choice([0, 1, 160_000])),
    }
    stems = [rng.bytes(size) for size in rng.integers(300, size=seed % 3)]
    names = ["dog", "background:rain"][: len(stems)]
    more = {"stems/encoded": stems, "stems/names": map(str.encode, names)}
    theirs = of_tensorflow(**clip, **more if stems else {})
    record = theirs.SerializeToString(deterministic=True)
    assert example_schema.serialize(**clip, stems=stems, stem_names=names) == (
        record
    )
    channels = {"S2": [b"12", b"34"], "N": [rng.bytes(500)], "empty": []}
    for name, encoded in channels.items():
        theirs.features.feature[f"channels/{name}"].bytes_list.CopyFrom(
            tf.train.BytesList(value=encoded)
        )
    separated = example_schema.with_channels(record, channels)
    assert separated == theirs.SerializeToString(deterministic=True)
    theirs.features.feature["clip/labels"].Clear()
    assert example_schema.without_labels(separated) == (
        theirs.SerializeToString(deterministic=True)
    )


def test_what_tensorflow_does_not_parse_is_refused():
    good = example_schema.serialize("a", "a", 0.0, (1,), b"1234", 2)
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        damaged = bytearray(good)
        damaged[rng.integers(len(good))] = rng.integers(256)
        try:
            theirs = tf.train.Example.FromString(bytes(damaged))
        except DecodeError:
            refused += 1
            with pytest.raises(DecodeError):
                Example.FromString(bytes(damaged))
        else:
            ours = Example.FromString(bytes(damaged))
            assert ours.SerializeToString(deterministic=True) == (
                theirs.SerializeToString(deterministic=True)
            )
    assert 0 < refused < 300
