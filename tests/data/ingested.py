"""What an ingest wrote, as later stages read it."""

import csv
import pathlib

import numpy as np
import tensorflow as tf

from data.shards import example_schema, record_check, stored_clip
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
        assert record_check.find_fault(record.numpy(), info) is None
        clip = stored_clip.read(record.numpy(), info)
        assert clip.clip_id not in found
        found[clip.clip_id] = clip.mixture, [*clip.labels]
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
        _, *rows = csv.reader(stream)
    return {file: (kind, reason) for file, kind, reason in rows}
