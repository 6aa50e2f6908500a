"""What a record must hold to be used: in the graph, and with the reason."""

from collections.abc import Sequence

import tensorflow as tf
from google.protobuf.message import DecodeError

from data.audio import codec
from data.shards import example_parser, example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.example_message import Example


def parse_checked(
    serialized: tf.Tensor,
    info: DatasetInfo,
    processors: Sequence[str] = (),
    stems: bool = False,
) -> dict[str, tf.Tensor]:
    """`example_parser.parse`, of a record that may hold anything.

    Version, labels and the lengths of all that is wanted are checked; audio
    is checked further where it is decoded.

    Args:
      serialized: scalar string.
      info: the dataset it is of.
      processors: names whose channels are wanted.
      stems: whether the stems are wanted.

    Raises:
      InvalidArgumentError: when run, of a record that does not fit.
    """
    clip = example_parser.parse(
        serialized, processors, info.num_channels, stems
    )
    num_samples = clip[example_schema.NUM_SAMPLES]
    labels = clip[example_schema.LABELS]
    fits = (
        (clip[example_schema.VERSION_KEY] == example_schema.VERSION)
        & (num_samples > 0)
        & tf.reduce_all((labels >= 0) & (labels < len(info.class_names)))
    )
    keys = [
        example_schema.AUDIO,
        *map(example_schema.channels_key, processors),
    ]
    if stems:
        keys.append(example_schema.STEMS)
        fits &= tf.size(clip[example_schema.STEM_NAMES]) == tf.size(
            clip[example_schema.STEMS]
        )
    for key in keys:
        fits &= codec.has_length(clip[key], num_samples, info.audio_format)
    check = tf.raw_ops.Assert(
        condition=fits, data=["the record does not fit its dataset.json"]
    )
    with tf.control_dependencies([check]):
        return {key: tf.identity(value) for key, value in clip.items()}


def find_fault(serialized: bytes, info: DatasetInfo) -> tuple[str, str] | None:
    """Why a record cannot be used: a cause to count by, and the reason.

    The same rules, for all that a clip of the dataset should carry, and with
    all of its audio decoded. None where nothing is wrong.
    """
    try:
        feature = Example.FromString(serialized).features.feature
    except DecodeError:
        return "not_an_example", "its bytes are no tf.train.Example"
    for key, kind in _SINGLE_VALUES.items():
        if len(getattr(feature[key], kind).value) != 1:
            return "not_an_example", f"it has no {key}, or several"
    [version] = feature[example_schema.VERSION_KEY].int64_list.value
    wanted = example_schema.VERSION
    if version != wanted:
        return "wrong_version", f"version {version}, not {wanted}"
    classes = len(info.class_names)
    for label in feature[example_schema.LABELS].int64_list.value:
        if not 0 <= label < classes:
            return "wrong_shape", f"label {label} of {classes} classes"
    [num_samples] = feature[example_schema.NUM_SAMPLES].int64_list.value
    if num_samples < 1:
        return "wrong_shape", f"it has {num_samples} samples"
    counts = {example_schema.AUDIO: 1}
    for processor in info.processors:
        counts[example_schema.channels_key(processor)] = info.num_channels
    if info.has_stems:
        names = feature[example_schema.STEM_NAMES].bytes_list.value
        counts[example_schema.STEMS] = len(names)
    for key, count in counts.items():
        sounds = feature[key].bytes_list.value
        if len(sounds) != count:
            return "wrong_shape", f"{key} has {len(sounds)} sounds, not {count}"
        for sound in sounds:
            try:
                length = len(codec.decode_bytes(sound, info.audio_format))
            except ValueError as error:
                return "undecodable", f"{key}: {error}"
            if length != num_samples:
                reason = f"{key} has {length} samples, not {num_samples}"
                return "wrong_shape", reason
    try:
        parse_checked(
            tf.constant(serialized), info, info.processors, info.has_stems
        )
    except (tf.errors.OpError, UnicodeDecodeError):
        # Protobuf's parser is not the one in the graph. The second error is
        # TensorFlow's, where its message quotes the record.
        return "not_an_example", "TensorFlow does not parse it"
    return None


_SINGLE_VALUES = {
    example_schema.VERSION_KEY: "int64_list",
    example_schema.CLIP_ID: "bytes_list",
    example_schema.NUM_SAMPLES: "int64_list",
    example_schema.AUDIO: "bytes_list",
}
