"""Shards of clips: cut from recordings, or synthetic scenes with stems."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator

from data.audio import encoding, sound_file
from data.ingest.clip_plan import ClipPlan, ScenePlan
from data.jobs.decoder_pool import Item
from data.run.rejects import Rejected
from data.shards import example_schema, shard_statistics
from data.shards.shard_writer import ShardWriter
from data.synthetic.scenes import generate_scene


@dataclasses.dataclass(frozen=True)
class EncodedClip:
    """A clip as it is stored; its sounds are in the audio format of the shard.

    Attributes:
      audio: all of it.
      num_samples: its length.
      labels: class names.
      conversions: what was done to get it, see `shard_statistics.conversions`.
      stems, stem_names: its true sources, where they are known.
      bad_packets: what is told of those that were skipped.
    """

    audio: bytes
    num_samples: int
    labels: tuple[str, ...]
    conversions: tuple[str, ...] = ()
    stems: tuple[bytes, ...] = ()
    stem_names: tuple[str, ...] = ()
    bad_packets: str = ""


@dataclasses.dataclass(frozen=True)
class ClipReader:
    """Reads clips of recordings, with the options of `IngestConfig`.

    Attributes:
      folder: where the recordings are; absolute. No part of what a shard
        depends on: their content is.
      silence_db: peak below which a clip is refused; None: never.
    """

    folder: str = dataclasses.field(repr=False)
    sample_rate_hz: int
    min_seconds: float
    silence_db: float | None
    audio_format: str

    def read(self, clip: ClipPlan) -> EncodedClip:
        """Raises `AudioRejected` where a clip cannot be used."""
        path = os.path.join(self.folder, clip.recording.path)
        rate_hz = self.sample_rate_hz
        piece = sound_file.read_clip(
            path, rate_hz, clip.start_s, clip.seconds, clip.recording.header
        )
        # Again, since decoders can fail at the end.
        sound_file.check_length(piece.seconds, self.min_seconds)
        if self.silence_db is not None:
            sound_file.check_level(piece.audio, self.silence_db)
        return EncodedClip(
            encoding.encode(piece.audio, self.audio_format, rate_hz),
            piece.audio.size,
            clip.recording.labels,
            shard_statistics.conversions(
                piece.header, piece.over_full_scale, rate_hz
            ),
            bad_packets=piece.bad_packets,
        )


@dataclasses.dataclass(frozen=True)
class SceneMaker:
    """Makes the synthetic scenes of the collection `seed`, `seconds` long."""

    seed: int
    seconds: float
    sample_rate_hz: int
    audio_format: str

    def read(self, plan: ScenePlan) -> EncodedClip:
        scene = generate_scene(
            self.seed, plan.number, self.seconds, self.sample_rate_hz
        )
        audio, *stems = (
            encoding.encode(sound, self.audio_format, self.sample_rate_hz)
            for sound in (scene.audio, *scene.stems)
        )
        return EncodedClip(
            audio,
            scene.audio.size,
            scene.labels if plan.is_labeled else (),
            stems=tuple(stems),
            stem_names=scene.stem_names,
        )


@dataclasses.dataclass(frozen=True)
class ClipShardTask:
    """A shard of clips.

    Attributes:
      shard: file name.
      clips: in the order wanted.
      label_numbers: names of labels, with the number that is stored.
      reader: reads or makes them.
    """

    shard: str
    clips: tuple[ClipPlan, ...] | tuple[ScenePlan, ...]
    label_numbers: tuple[tuple[str, int], ...]
    reader: ClipReader | SceneMaker

    @property
    def num_items(self) -> int:
        return len(self.clips)

    def items(self) -> Iterator[Item]:
        for clip in self.clips:
            yield clip.clip_id, functools.partial(self.reader.read, clip)


def write_clips(
    task: ClipShardTask,
    path: pathlib.Path,
    clips: Iterator[EncodedClip | Rejected],
) -> dict:
    """Writes the shard of a task; clips that cannot be used are left out.

    Returns:
      Its account: what `ShardStatistics` and `ShardWriter` tell, the `rejects`,
      and those used `in_part`.
    """
    index_of = dict(task.label_numbers)
    account = shard_statistics.ShardStatistics(task.reader.sample_rate_hz)
    rejects, in_part = [], []
    with ShardWriter(path) as writer:
        for plan, clip in zip(task.clips, clips, strict=True):
            at = "" if plan.is_whole else f"the clip at {plan.start_s:g} s: "
            if isinstance(clip, Rejected):
                rejects.append((plan.source, clip.kind, at + clip.reason))
                continue
            if clip.bad_packets:
                reason = at + clip.bad_packets
                in_part.append((plan.source, "bad_packets", reason))
            record = example_schema.serialize(
                clip_id=plan.clip_id,
                source=plan.source,
                start_s=plan.start_s,
                labels=tuple(index_of[label] for label in clip.labels),
                audio=clip.audio,
                num_samples=clip.num_samples,
                stems=clip.stems,
                stem_names=clip.stem_names,
            )
            writer.write(record)
            account.add(clip.num_samples, clip.labels, clip.conversions)
    return (
        account.as_json()
        | writer.as_json()
        | {"rejects": rejects, "in_part": in_part}
    )
