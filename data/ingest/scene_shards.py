"""Shards of synthetic scenes, with their stems.

TensorFlow is imported where a shard is written: the processes that make the
scenes do without it.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator

from data.audio import encoding
from data.jobs.decoder_pool import Item
from data.run.atomic_write import atomic_path
from data.shards.shard_statistics import ShardStatistics
from data.synthetic.scenes import CLASS_NAMES, SceneConfig, generate_scene


@dataclasses.dataclass(frozen=True)
class SceneShardTask:
    """A shard of synthetic scenes, with stems.

    Attributes:
      shard: file name.
      seed: of the collection.
      scenes: numbers of the scenes in it.
      labeled: whether they keep their labels.
      config: what a scene is like.
      audio_format: one of `encoding.AUDIO_FORMATS`.
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

    def items(self) -> Iterator[Item]:
        for index in self.scenes:
            yield (
                scene_name(index),
                functools.partial(
                    make_scene, self.seed, index, self.config, self.audio_format
                ),
            )


@dataclasses.dataclass(frozen=True)
class EncodedScene:
    """A scene as it is stored; its sounds are in the audio format."""

    audio: bytes
    num_samples: int
    labels: tuple[str, ...]
    stems: tuple[bytes, ...]
    stem_names: tuple[str, ...]


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


def make_scene(
    seed: int, index: int, config: SceneConfig, audio_format: str
) -> EncodedScene:
    """Scene number `index` of a collection."""
    scene = generate_scene(seed, index, config)
    audio, *stems = (
        encoding.encode(sound, audio_format, config.sample_rate_hz)
        for sound in (scene.audio, *scene.stems)
    )
    return EncodedScene(
        audio, scene.audio.size, scene.labels, tuple(stems), scene.stem_names
    )


def write_scenes(
    task: SceneShardTask, path: pathlib.Path, scenes: Iterator[EncodedScene]
) -> dict:
    """Writes the shard of a task; returns its account."""
    from data.shards import example_schema
    from data.shards.shard_writer import ShardWriter

    account = ShardStatistics(task.config.sample_rate_hz)
    with ShardWriter(path) as writer:
        for index, scene in zip(task.scenes, scenes, strict=True):
            labels = scene.labels if task.labeled else ()
            record = example_schema.ClipRecord(
                clip_id=scene_name(index),
                source=scene_name(index),
                start_s=0.0,
                labels=tuple(CLASS_NAMES.index(name) for name in labels),
                audio=scene.audio,
                num_samples=scene.num_samples,
                stems=scene.stems,
                stem_names=scene.stem_names,
            )
            writer.write(example_schema.serialize(record))
            account.add(scene.num_samples, labels)
    return {**account.as_json(), "offsets": writer.offsets}
