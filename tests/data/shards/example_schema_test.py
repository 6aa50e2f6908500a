import numpy as np
import tensorflow as tf

from data.shards import example_schema
from data.shards.example_schema import ClipRecord

RECORD = ClipRecord(
    clip_id='x/"é" <script>.wav#1.500',
    source='x/"é" <script>.wav',
    start_s=1.5,
    labels=(7, 2),
    audio=b"\x01\x00\x02\x00",
    num_samples=2,
    stems=(b"ab", b"cd", b"ef"),
    stem_names=("dog", "bell", "background:rain"),
)


def test_parse_gives_what_was_serialized():
    parsed = example_schema.parse(
        tf.constant(example_schema.serialize(RECORD)), stems=True
    )
    assert parsed[example_schema.CLIP_ID].numpy().decode() == RECORD.clip_id
    assert parsed[example_schema.AUDIO].numpy() == RECORD.audio
    assert parsed[example_schema.NUM_SAMPLES].numpy() == 2
    assert parsed[example_schema.LABELS].numpy().tolist() == [2, 7]
    assert tuple(parsed[example_schema.STEMS].numpy()) == RECORD.stems
    names = [n.decode() for n in parsed[example_schema.STEM_NAMES].numpy()]
    assert tuple(names) == RECORD.stem_names


def test_an_unlabeled_clip_has_no_label():
    record = ClipRecord("a", "a", 0.0, (), b"", 0)
    parsed = example_schema.parse(tf.constant(example_schema.serialize(record)))
    assert parsed[example_schema.LABELS].shape == (0,)
    assert example_schema.STEMS not in parsed


def test_every_key_of_the_docstring_is_stored():
    example = tf.train.Example.FromString(example_schema.serialize(RECORD))
    feature = example.features.feature
    for key in feature:
        assert f"`{key}`" in example_schema.__doc__
    assert feature["version"].int64_list.value[0] == example_schema.VERSION
    assert feature["clip/source"].bytes_list.value[0].decode() == RECORD.source
    assert np.isclose(feature["clip/start_s"].float_list.value[0], 1.5)


def test_channels_are_added_and_the_rest_is_kept():
    plain = example_schema.serialize(RECORD)
    both = example_schema.with_channels(
        plain, {"n": (b"1", b"2"), "s2": (b"3", b"4")}
    )
    parsed = example_schema.parse(tf.constant(both), ("s2", "n"), 2)
    key = example_schema.channels_key
    assert parsed[key("n")].numpy().tolist() == [b"1", b"2"]
    assert parsed[key("s2")].numpy().tolist() == [b"3", b"4"]
    assert parsed[example_schema.AUDIO].numpy() == RECORD.audio
    # The bytes depend on the content only, not on the order of adding.
    assert both == example_schema.with_channels(
        plain, {"s2": (b"3", b"4"), "n": (b"1", b"2")}
    )
