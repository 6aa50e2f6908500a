import tensorflow as tf

from data.shards import example_parser, example_schema

CLIP = {
    "clip_id": 'x/"é" <script>.wav#1.500',
    "source": 'x/"é" <script>.wav',
    "start_s": 1.5,
    "labels": (7, 2),
    "audio": b"\x01\x00\x02\x00",
    "num_samples": 2,
    "stems": (b"ab", b"cd", b"ef"),
    "stem_names": ("dog", "bell", "background:rain"),
}
RECORD = example_schema.serialize(**CLIP)


def test_parse_gives_what_was_serialized():
    parsed = example_parser.parse(tf.constant(RECORD), stems=True)
    assert parsed[example_schema.CLIP_ID].numpy().decode() == CLIP["clip_id"]
    assert parsed[example_schema.AUDIO].numpy() == CLIP["audio"]
    assert parsed[example_schema.NUM_SAMPLES].numpy() == 2
    assert parsed[example_schema.LABELS].numpy().tolist() == [2, 7]
    assert tuple(parsed[example_schema.STEMS].numpy()) == CLIP["stems"]
    names = [n.decode() for n in parsed[example_schema.STEM_NAMES].numpy()]
    assert tuple(names) == CLIP["stem_names"]


def test_an_unlabeled_clip_has_no_label():
    record = example_schema.serialize("a", "a", 0.0, (), b"", 0)
    parsed = example_parser.parse(tf.constant(record))
    assert parsed[example_schema.LABELS].shape == (0,)
    assert example_schema.STEMS not in parsed


def test_every_key_of_the_docstring_is_stored():
    feature = tf.train.Example.FromString(RECORD).features.feature
    for key in feature:
        assert f"`{key}`" in example_schema.__doc__
    assert feature["version"].int64_list.value[0] == example_schema.VERSION
    source = feature["clip/source"].bytes_list.value[0].decode()
    assert source == CLIP["source"]
    assert feature["clip/start_s"].float_list.value[0] == 1.5


def test_channels_are_added_and_the_rest_is_kept():
    channels = {"n": (b"1", b"2"), "s2": (b"3", b"4")}
    both = example_schema.with_channels(RECORD, channels)
    parsed = example_parser.parse(tf.constant(both), ("s2", "n"), 2)
    for name, encoded in channels.items():
        key = example_schema.channels_key(name)
        assert tuple(parsed[key].numpy()) == encoded
    assert parsed[example_schema.AUDIO].numpy() == CLIP["audio"]
    # The bytes depend on the content only, not on the order of adding.
    in_turn = dict(reversed(channels.items()))
    assert example_schema.with_channels(RECORD, in_turn) == both
