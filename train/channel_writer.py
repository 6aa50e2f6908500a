"""Shards to shards that carry the channels of each processor too."""

import dataclasses
import hashlib
import itertools
import pathlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from data import audio_codec, example_schema, shard_jobs
from data.dataset_info import DatasetInfo
from data.job_runner import InProcess
from data.user_error import UserError
from models.separation.separator import Separator


@dataclasses.dataclass(frozen=True)
class SeparateTask:
    """One shard to separate; see `shard_jobs.Task`.

    Attributes:
      shard: name of the file, as in the source.
      num_items: its clips.
      source: the source file and its size.
      processors: (name, digest of the network's file) of each.
    """

    shard: str
    num_items: int
    source: tuple[str, int]
    processors: tuple[tuple[str, str], ...]


def separate(
    info: DatasetInfo,
    files: dict[str, pathlib.Path],
    folder: pathlib.Path,
    batch_size: int,
) -> DatasetInfo:
    """Separates all shards of a dataset that are not done yet.

    Args:
      info: the dataset.
      files: processor name -> saved separator.
      folder: where the new shards go.
      batch_size: clips separated together.

    Returns:
      The new dataset; its dataset.json is written last.

    Raises:
      UserError: a separator is for another sample rate, or the separators
        differ in their number of channels.
    """
    if folder.resolve() == info.folder.resolve():
        raise UserError(
            f"--output={folder} is the folder of --shards: choose another"
        )
    separators = {n: keras.saving.load_model(f) for n, f in files.items()}
    num_channels = _common_channels(separators, info)
    digests = tuple((name, _digest(file)) for name, file in files.items())
    shards = [s for split in info.splits.values() for s in split]
    tasks = [
        SeparateTask(
            shard.file,
            shard.clips,
            (str(info.folder / shard.file), shard.num_bytes),
            digests,
        )
        for shard in shards
    ]
    run_each = {
        name: tf.function(
            separator, input_signature=[tf.TensorSpec([None, None])]
        )
        for name, separator in separators.items()
    }

    def write_shard(task, path, report):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for clip in _separated(
                task.source[0], run_each, info, batch_size, report
            ):
                writer.write(clip)
        return {}

    # In this process: TensorFlow uses every core by itself.
    accounts = shard_jobs.run(
        "separate", write_shard, tasks, folder, InProcess()
    )
    sizes = {a["shard"]: a["num_bytes"] for a in accounts}
    splits = {
        split: tuple(
            dataclasses.replace(s, num_bytes=sizes[s.file]) for s in shards
        )
        for split, shards in info.splits.items()
    }
    separated = dataclasses.replace(
        info,
        folder=folder,
        splits=splits,
        processors=tuple(files),
        num_channels=num_channels,
    )
    if not _is_saved(separated):
        separated.save()
    logging.info(
        "%d clips with %d channels of each of: %s",
        sum(shard.clips for shard in shards),
        num_channels,
        ", ".join(files),
    )
    return separated


def _is_saved(info: DatasetInfo) -> bool:
    try:
        return DatasetInfo.load(info.folder) == info
    except UserError:
        return False


def _separated(
    source: str, run_each, info: DatasetInfo, batch_size: int, report
) -> Iterator[bytes]:
    """Serialized examples of a shard, in its order, with channels."""
    records = tf.data.TFRecordDataset(source).as_numpy_iterator()
    while batch := list(itertools.islice(records, batch_size)):
        clips = [example_schema.parse(record) for record in batch]
        waveforms = [
            audio_codec.decode(
                clip[example_schema.AUDIO], info.audio_format
            ).numpy()
            for clip in clips
        ]
        for clip in clips:
            report(clip[example_schema.CLIP_ID].numpy().decode())
        channels = [{} for _ in batch]
        for name, run in run_each.items():
            for places in _equally_long(waveforms):
                outputs = run(np.stack([waveforms[p] for p in places]))
                for place, output in zip(places, outputs.numpy(), strict=True):
                    channels[place][name] = [
                        audio_codec.encode(
                            channel, info.audio_format, info.sample_rate_hz
                        )
                        for channel in output
                    ]
        for record, of_clip in zip(batch, channels, strict=True):
            yield example_schema.with_channels(record, of_clip)


def _equally_long(waveforms: list[np.ndarray]) -> list[list[int]]:
    """Places in the batch, grouped: padding would change the norms."""
    groups: dict[int, list[int]] = {}
    for place, waveform in enumerate(waveforms):
        groups.setdefault(len(waveform), []).append(place)
    return list(groups.values())


def _common_channels(
    separators: dict[str, Separator], info: DatasetInfo
) -> int:
    for name, separator in separators.items():
        if separator.sample_rate_hz != info.sample_rate_hz:
            raise UserError(
                f"processor {name} is for {separator.sample_rate_hz} Hz, "
                f"{info.folder} has {info.sample_rate_hz} Hz: write the "
                f"shards with --sample_rate_hz={separator.sample_rate_hz}"
            )
    counts = {name: s.num_sources for name, s in separators.items()}
    if len(set(counts.values())) != 1:
        raise UserError(f"processors differ in channels: {counts}")
    return next(iter(counts.values()))


def _digest(file: pathlib.Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
