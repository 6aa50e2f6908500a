"""What an ingest wrote, as later stages read it."""

import csv
import pathlib

import numpy as np
import tensorflow as tf

from data.audio import codec
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo


def records(info: DatasetInfo, splits: list[str]) -> tf.data.Dataset:
    """As stored, by TensorFlow's own reader."""
    shards = info.shards_of(splits)
    return tf.data.TFRecordDataset([str(info.folder / s.file) for s in shards])


def clips(
    info: DatasetInfo, splits: list[str] | None = None
) -> dict[str, tuple[np.ndarray, list[str]]]:
    """Clip id → (audio, label names)."""
    found = {}
    for record in records(info, splits or [*info.splits]):
        parsed = example_schema.parse(record)
        audio = codec.decode(
            parsed[example_schema.AUDIO], info.audio_format
        ).numpy()
        assert audio.size == parsed[example_schema.NUM_SAMPLES]
        clip_id = parsed[example_schema.CLIP_ID].numpy().decode()
        assert clip_id not in found
        labels = parsed[example_schema.LABELS].numpy()
        found[clip_id] = audio, [info.class_names[k] for k in labels]
    return found


def starts(info: DatasetInfo) -> dict[str, tuple[str, float]]:
    """Clip id → (recording, start in it, s)."""
    found = {}
    for record in records(info, [*info.splits]):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        clip_id, source = (
            feature[key].bytes_list.value[0].decode()
            for key in (example_schema.CLIP_ID, example_schema.SOURCE)
        )
        start_s = feature[example_schema.START_S].float_list.value[0]
        found[clip_id] = source, start_s
    return found


def rejects(tmp_path: pathlib.Path) -> dict[str, tuple[str, str]]:
    """File → (kind, reason), of the output folder `out`."""
    with (tmp_path / "out" / "rejects.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return {row["file"]: (row["kind"], row["reason"]) for row in rows}
