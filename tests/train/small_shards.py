"""Small shards that the tests of train/ read."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data.audio import encoding
from data.shards import example_schema, shard_offsets
from data.shards.dataset_info import DatasetInfo
from data.shards.shard_writer import ShardWriter
from tests.data.shards.written_shard import shard_of

RATE_HZ = 16000


def noise_clips(count: int, samples: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.1, samples).astype("f4") for _ in range(count)]


def write_shards(
    folder: pathlib.Path,
    clips: Sequence[np.ndarray],
    channels: dict[str, Sequence[np.ndarray]] | None = None,
    stems: Sequence[np.ndarray] | None = None,
    num_shards: int = 2,
    audio_format: str = encoding.PCM16,
    split: str = "train",
    labels: Sequence[tuple[int, ...]] | None = None,
    name: str = "clip",
) -> DatasetInfo:
    """Clip k goes to shard k mod num_shards, with id "<name><k>".

    Args:
      clips: (T,) each.
      channels: processor -> (M, T) of each clip.
      stems: (S, T) of each clip.
      labels: of each clip; by default whether its number is odd.
      name: of the clips; their stems and source have it too.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def encode(audio):
        return encoding.encode(audio, audio_format, RATE_HZ)

    channels = channels or {}
    shards, offsets = [], {}
    for number in range(num_shards):
        path = folder / f"{split}-{number}.tfrecord"
        mine = range(number, len(clips), num_shards)
        with ShardWriter(path) as writer:
            for k in mine:
                record = example_schema.serialize(
                    clip_id=f"{name}{k}",
                    source=f"{name}{k}",
                    start_s=0.0,
                    labels=labels[k] if labels else (k % 2,),
                    audio=encode(clips[k]),
                    num_samples=len(clips[k]),
                    stems=tuple(map(encode, stems[k])) if stems else (),
                    stem_names=tuple(name for _ in stems[k]) if stems else (),
                )
                added = {p: [*map(encode, c[k])] for p, c in channels.items()}
                writer.write(example_schema.with_channels(record, added))
        seconds = sum(len(clips[k]) for k in mine) / RATE_HZ
        shards.append(shard_of(path, len(mine), seconds, writer))
        offsets[path.name] = writer.as_json()["offsets"]
    info = DatasetInfo(
        folder=folder,
        sample_rate_hz=RATE_HZ,
        audio_format=audio_format,
        class_names=("even", "odd"),
        splits={split: tuple(shards)},
        processors=tuple(channels),
        num_channels=len(next(iter(channels.values()))[0]) if channels else 0,
        has_stems=bool(stems),
    )
    digest = shard_offsets.write(info, offsets)
    info = dataclasses.replace(info, offsets_sha256=digest)
    info.save()
    return info


def assert_shares_make_the_whole(batches, replicas: int) -> None:
    """Put together in order they are the batches of one, value by value.

    Args:
      batches: (count, context of one of two pipelines, or None) -> batches.
      replicas: of both pipelines.
    """
    each = replicas // 2
    pipelines = [
        batches(3 * each, tf.distribute.InputContext(2, number, replicas))
        for number in range(2)
    ]
    for step, whole in enumerate(batches(3, None)):
        parts = [
            part
            for pipeline in pipelines
            for part in pipeline[each * step : each * (step + 1)]
        ]
        assert len(parts) == replicas
        together = tf.nest.map_structure(
            lambda *arrays: np.concatenate(arrays), *parts
        )
        tf.nest.map_structure(np.testing.assert_array_equal, together, whole)
