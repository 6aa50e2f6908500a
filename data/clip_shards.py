"""Shards of clips cut from recordings.

TensorFlow is imported where a shard is written, so that planning is quick.
"""

import dataclasses
import os
import pathlib

from data import audio_file
from data.audio_file import AudioClip
from data.clip_plan import ClipPlan
from data.rejects import Reject, Rejected
from data.shard_account import ShardAccount
from data.worker_pool import Report


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
      audio_format: one of `audio_encoding.AUDIO_FORMATS`.
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


def write_clips(
    task: ClipShardTask, path: pathlib.Path, report: Report
) -> dict:
    """Writes the shard of a task; clips that cannot be used are left out.

    Returns:
      Its account, as of `ShardAccount.as_json`, with the `offsets` of its
      records.
    """
    from data import audio_encoding, example_schema
    from data.shard_writer import ShardWriter

    index_of = {name: k for k, name in enumerate(task.class_names)}
    account = ShardAccount(task.sample_rate_hz)
    with ShardWriter(path) as writer:
        for clip in task.clips:
            recording = clip.recording
            try:
                report(clip.clip_id)
                piece = _read(clip, task)
            except Rejected as rejected:
                account.add_reject(_as_reject(clip, rejected))
                continue
            record = example_schema.ClipRecord(
                clip_id=clip.clip_id,
                source=recording.name,
                start_s=clip.start_s,
                labels=tuple(index_of[label] for label in recording.labels),
                audio=audio_encoding.encode(
                    piece.audio, task.audio_format, task.sample_rate_hz
                ),
                num_samples=piece.audio.size,
            )
            writer.write(example_schema.serialize(record))
            account.add(piece.audio.size, recording.labels)
            account.add_conversions(piece)
    return {**account.as_json(), "offsets": writer.offsets}


def _read(clip: ClipPlan, task: ClipShardTask) -> AudioClip:
    piece = audio_file.read_clip(
        os.path.join(task.folder, clip.recording.path),
        task.sample_rate_hz,
        clip.start_s,
        clip.seconds,
    )
    # Again, since headers can promise more than there is.
    audio_file.check_length(piece.seconds, task.min_seconds)
    if task.silence_db is not None:
        audio_file.check_level(piece.audio, task.silence_db)
    return piece


def _as_reject(clip: ClipPlan, rejected: Rejected) -> Reject:
    at = "" if clip.is_whole else f"the clip at {clip.start_s:g} s: "
    return clip.recording.name, rejected.kind, at + rejected.reason
