"""Shards of synthetic scenes, with their stems.

TensorFlow is imported where a shard is written, so that planning is quick.
"""

import dataclasses
import pathlib

from data.atomic_write import atomic_path
from data.shard_account import ShardAccount
from data.synthetic_scenes import CLASS_NAMES, SceneConfig, generate_scene
from data.worker_pool import Report


@dataclasses.dataclass(frozen=True)
class SceneShardTask:
    """A shard of synthetic scenes, with stems.

    Attributes:
      shard: file name.
      seed: of the collection.
      scenes: numbers of the scenes in it.
      labeled: whether they keep their labels.
      config: what a scene is like.
      audio_format: one of `audio_encoding.AUDIO_FORMATS`.
    """

    shard: str
    seed: int
    scenes: tuple[int, ...]
    labeled: bool
    config: SceneConfig
    audio_format: str

    @property
    def num_items(self) -> int:
        return len(self.scenes)


def scene_name(index: int) -> str:
    return f"scene-{index:07d}"


def write_query(
    path: pathlib.Path, seed: int, config: SceneConfig, index: int
) -> None:
    """Writes one more scene as a WAV file, to search the others with."""
    import soundfile

    scene = generate_scene(seed, index, config)
    with atomic_path(path) as beside:
        soundfile.write(str(beside), scene.audio, config.sample_rate_hz)


def write_scenes(
    task: SceneShardTask, path: pathlib.Path, report: Report
) -> dict:
    """Writes the shard of a task; returns its account."""
    from data import audio_encoding, example_schema
    from data.shard_writer import ShardWriter

    rate_hz = task.config.sample_rate_hz
    account = ShardAccount(rate_hz)
    with ShardWriter(path) as writer:
        for index in task.scenes:
            report(scene_name(index))
            scene = generate_scene(task.seed, index, task.config)
            labels = scene.labels if task.labeled else ()
            record = example_schema.ClipRecord(
                clip_id=scene_name(index),
                source=scene_name(index),
                start_s=0.0,
                labels=tuple(CLASS_NAMES.index(name) for name in labels),
                audio=audio_encoding.encode(
                    scene.audio, task.audio_format, rate_hz
                ),
                num_samples=scene.audio.size,
                stems=tuple(
                    audio_encoding.encode(stem, task.audio_format, rate_hz)
                    for stem in scene.stems
                ),
                stem_names=scene.stem_names,
            )
            writer.write(example_schema.serialize(record))
            account.add(scene.audio.size, labels)
    return {**account.as_json(), "offsets": writer.offsets}
