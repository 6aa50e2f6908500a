"""Small shards and pretraining runs that the tests of evaluate/ measure."""

import pathlib
from collections.abc import Sequence

import numpy as np

from data.audio import encoding
from data.run.atomic_write import write_json
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.shard_writer import ShardWriter
from evaluate.embeddings.encoders import load_encoders
from models.embedding_model import EmbeddingModel
from tests.data.shards.damaged_shards import flip
from tests.data.shards.written_shard import shard_of

RATE_HZ = 16000
CLASS_NAMES = ("hum", "hiss", "tick")


def toy_clip(number: int, seconds: float, labels: tuple[int, ...]):
    """Noise with a tone, a hiss or ticks for each label; (T,) float32."""
    random = np.random.default_rng([number, *labels])
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    audio = random.normal(0, 0.003, time.shape)
    if 0 in labels:
        audio += 0.2 * np.sin(2 * np.pi * random.uniform(200, 400) * time)
    if 1 in labels:
        audio += random.normal(0, 0.1, time.shape)
    if 2 in labels:
        period = random.uniform(0.05, 0.1)
        audio += 0.5 * (time % period < 0.002)
    return audio.astype(np.float32)


def write_toy_shards(
    folder: pathlib.Path,
    clips: dict[str, list[tuple[float, tuple[int, ...]]]],
    sample_rate_hz: int = RATE_HZ,
    class_names: tuple[str, ...] = CLASS_NAMES,
    clips_per_shard: int = 1000,
) -> DatasetInfo:
    """Shards named "<split>.tfrecord", "<split>-1.tfrecord" and so on.

    `clips` has (seconds, labels) for each clip. Clip ids are
    "<split>/<number>"; numbers count over all splits.
    """
    folder.mkdir(parents=True)
    splits, number = {split: () for split in clips}, 0
    shards = [
        (split, start // clips_per_shard, rows[start : start + clips_per_shard])
        for split, rows in clips.items()
        for start in range(0, len(rows), clips_per_shard)
    ]
    for split, shard, rows in shards:
        file = folder / f"{split}{f'-{shard}' if shard else ''}.tfrecord"
        with ShardWriter(file) as writer:
            for seconds, labels in rows:
                audio = toy_clip(number, seconds, labels)
                record = example_schema.serialize(
                    clip_id=f"{split}/{number}",
                    source="toy",
                    start_s=0.0,
                    labels=labels if class_names else (),
                    audio=encoding.encode(audio, "pcm16", sample_rate_hz),
                    num_samples=len(audio),
                )
                writer.write(record)
                number += 1
        total = sum(seconds for seconds, _ in rows)
        splits[split] += (shard_of(file, len(rows), total, writer),)
    info = DatasetInfo(folder, sample_rate_hz, "pcm16", class_names, splits)
    info.save()
    return info


def damage(info: DatasetInfo, split: str, record: int) -> None:
    """Flips a bit in the audio of one record of the first shard."""
    index = RecordIndex.of(info, [split])
    middle = index.offset_of[record] + index.size_of[record] // 2
    flip(index.file_of(record), middle)


def toy_model(seed: int = 0, **kwargs) -> EmbeddingModel:
    """A narrow encoder whose weights and batch norms are all set."""
    kwargs = {"embedding_dim": 11, "width": 1 / 16, **kwargs}
    model = EmbeddingModel(sample_rate_hz=RATE_HZ, **kwargs)
    random = np.random.default_rng(seed)
    for weight in model.weights:
        values = random.normal(0, 1, weight.shape)
        if weight.path.endswith("kernel"):
            fan_in = np.prod(weight.shape[:-1])
            weight.assign(values * np.sqrt(2 / fan_in))
        elif weight.path.endswith(("gamma", "variance")):
            weight.assign(np.exp(0.1 * values))
        else:
            weight.assign(0.1 * values)
    return model


def write_toy_run(
    folder: pathlib.Path,
    shards: pathlib.Path,
    seed: int = 0,
    splits: Sequence[str] = (),
    **kwargs,
) -> EmbeddingModel:
    """A finished pretraining run directory, as evaluate/ needs it."""
    model = toy_model(seed, **kwargs)
    folder.mkdir(parents=True)
    record = {
        "stage": "pretrain_contrastive",
        "config": {
            "shards": str(shards),
            "splits": [*splits],
            "seed": seed,
        },
        "command": [],
        "versions": {},
    }
    write_json(folder / "config.json", record)
    model.save(folder / "embedding_model.keras")
    return model


def toy_encoder(folder: pathlib.Path, clips: dict, **options):
    """Shards of `clips`, and a loaded encoder of a run beside them."""
    info = write_toy_shards(folder / "shards", clips, **options)
    write_toy_run(folder / "run", folder / "shards")
    [encoder] = load_encoders([str(folder / "run")])
    return info, encoder


def balanced_clips(count: int, seconds: float = 1.0):
    """`count` clips with one label each, in turn."""
    return [(seconds, (number % 3,)) for number in range(count)]
