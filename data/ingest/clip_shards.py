"""Shards of clips cut from recordings.

TensorFlow is imported where a shard is written: the processes that read the
clips do without it.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator

from data.audio import encoding, sound_file
from data.ingest.clip_plan import ClipPlan
from data.jobs.decoder_pool import Item
from data.run.rejects import Reject, Rejected
from data.shards import shard_statistics
from data.shards.shard_statistics import ShardStatistics


@dataclasses.dataclass(frozen=True)
class ClipShardTask:
    """A shard of clips cut from recordings.

    Attributes:
      shard: file name.
      folder: where the recordings are.
      clips: in the order wanted.
      class_names: label indices point here.
      sample_rate_hz, min_seconds: as in `IngestConfig`.
      silence_db: peak below which a clip is refused; None: never.
      audio_format: one of `encoding.AUDIO_FORMATS`.
    """

    shard: str
    folder: str
    clips: tuple[ClipPlan, ...]
    class_names: tuple[str, ...]
    sample_rate_hz: int
    min_seconds: float
    silence_db: float | None
    audio_format: str

    @property
    def num_items(self) -> int:
        return len(self.clips)

    def items(self) -> Iterator[Item]:
        for clip in self.clips:
            yield (
                clip.clip_id,
                functools.partial(
                    read_clip,
                    os.path.join(self.folder, clip.recording.path),
                    clip.start_s,
                    clip.seconds,
                    self.sample_rate_hz,
                    self.min_seconds,
                    self.silence_db,
                    self.audio_format,
                ),
            )


@dataclasses.dataclass(frozen=True)
class EncodedClip:
    """A clip as it is stored.

    Attributes:
      audio: in the audio format of the shard.
      num_samples: its length.
      conversions: what was done to get it, see `shard_statistics.conversions`.
    """

    audio: bytes
    num_samples: int
    conversions: tuple[str, ...]


def read_clip(
    path: str,
    start_s: float,
    seconds: float,
    sample_rate_hz: int,
    min_seconds: float,
    silence_db: float | None,
    audio_format: str,
) -> EncodedClip:
    """Reads a clip as `ClipShardTask` wants it.

    Raises:
      AudioRejected: it cannot be used.
    """
    piece = sound_file.read_clip(path, sample_rate_hz, start_s, seconds)
    # Again, since headers can promise more than there is.
    sound_file.check_length(piece.seconds, min_seconds)
    if silence_db is not None:
        sound_file.check_level(piece.audio, silence_db)
    return EncodedClip(
        encoding.encode(piece.audio, audio_format, sample_rate_hz),
        piece.audio.size,
        shard_statistics.conversions(piece, sample_rate_hz),
    )


def write_clips(
    task: ClipShardTask,
    path: pathlib.Path,
    clips: Iterator[EncodedClip | Rejected],
) -> dict:
    """Writes the shard of a task; clips that cannot be used are left out.

    Returns:
      Its account, as of `ShardStatistics.as_json`, with the `offsets` of its
      records.
    """
    from data.shards import example_schema
    from data.shards.shard_writer import ShardWriter

    index_of = {name: k for k, name in enumerate(task.class_names)}
    account = ShardStatistics(task.sample_rate_hz)
    with ShardWriter(path) as writer:
        for plan, clip in zip(task.clips, clips, strict=True):
            if isinstance(clip, Rejected):
                account.add_reject(_as_reject(plan, clip))
                continue
            recording = plan.recording
            record = example_schema.ClipRecord(
                clip_id=plan.clip_id,
                source=recording.name,
                start_s=plan.start_s,
                labels=tuple(index_of[label] for label in recording.labels),
                audio=clip.audio,
                num_samples=clip.num_samples,
            )
            writer.write(example_schema.serialize(record))
            account.add(clip.num_samples, recording.labels, clip.conversions)
    return {**account.as_json(), "offsets": writer.offsets}


def _as_reject(clip: ClipPlan, rejected: Rejected) -> Reject:
    at = "" if clip.is_whole else f"the clip at {clip.start_s:g} s: "
    return clip.recording.name, rejected.kind, at + rejected.reason
