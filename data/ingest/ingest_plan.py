"""From options to the shards that are to be written."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping

from data.audio.sound_file import AudioRejected
from data.ingest import clip_plan, clip_shards, header_scan
from data.ingest.clip_plan import ClipPlan, ScenePlan
from data.ingest.clip_shards import ClipReader, ClipShardTask, SceneMaker
from data.ingest.ingest_config import AUDIOSET, ESC, FSD50K, IngestConfig
from data.jobs.decoding_jobs import DecodingJobs
from data.run.errors import UserError
from data.run.rejects import Reject
from data.sources import audioset, esc, fsd50k, sound_folder
from data.sources.manifest import EVAL, TRAIN, UNLABELED, Manifest
from data.sources.recording_files import Recording
from data.synthetic.scenes import CLASS_NAMES


@dataclasses.dataclass(frozen=True)
class Plan:
    """The shards to write, and what was found out before.

    Attributes:
      tasks: of each split.
      class_names: label indices point here.
      refused: recordings left out already.
      missing: rows of a table without a file.
      counts: for the summary.
    """

    tasks: dict[str, list[ClipShardTask]]
    class_names: tuple[str, ...]
    refused: tuple[Reject, ...] = ()
    missing: tuple[Reject, ...] = ()
    counts: dict = dataclasses.field(default_factory=dict)


def find_recordings(config: IngestConfig) -> Manifest:
    """The recordings, labels and splits that the options name.

    Raises:
      UserError: the folder or a table cannot be used, no recording is of the
        folds for the split eval, or a share for it has no effect.
    """
    if config.source == ESC:
        found = esc.read(config.input, config.eval_folds, config.esc10_only)
    elif config.source == FSD50K:
        found = fsd50k.read(config.input)
    elif config.source == AUDIOSET:
        found = audioset.read(
            config.input, config.segments, config.class_labels
        )
    else:
        found = sound_folder.read(
            config.input,
            config.labels,
            config.filename_column,
            config.label_column,
            config.eval_folds,
            config.classes,
        )
    if config.eval_folds and not any(r.split == EVAL for r in found.recordings):
        raise UserError(
            f"--eval_folds={','.join(config.eval_folds)}: --input="
            f"{config.input} has no file of these folds with a known label, "
            "so the split eval would be empty"
        )
    is_set = config.eval_fraction != IngestConfig.eval_fraction
    if is_set and all(r.split for r in found.recordings):
        raise UserError(
            f"--eval_fraction={config.eval_fraction:g} has no effect: "
            f"--labels={config.labels} says which split each file is in; "
            "leave that flag out, or the column split or fold"
        )
    return found


def plan_scenes(config: IngestConfig) -> Plan:
    """Shards of synthetic scenes, the split drawn."""
    names = [ScenePlan(number).clip_id for number in range(config.num_clips)]
    evaluated = clip_plan.held_out(names, config.eval_fraction, config.seed)
    rest = [name for name in names if name not in evaluated]
    unlabeled = clip_plan.held_out(rest, config.unlabeled_fraction, config.seed)
    scenes_of = collections.defaultdict(list)
    for number, name in enumerate(names):
        split = EVAL if name in evaluated else TRAIN
        if name in unlabeled:
            split = UNLABELED
        scenes_of[split].append(ScenePlan(number, name not in unlabeled))
    maker = clip_shards.SceneMaker(
        seed=config.seed,
        seconds=config.scene_seconds,
        sample_rate_hz=config.sample_rate_hz,
        audio_format=config.audio_format,
    )
    return Plan(_tasks(config, scenes_of, CLASS_NAMES, maker), CLASS_NAMES)


def plan_clips(
    config: IngestConfig,
    found: Manifest,
    scan_folder: pathlib.Path,
    jobs: DecodingJobs,
) -> Plan:
    """Shards of clips, from the lengths of the recordings.

    Args:
      config: the options.
      found: from `find_recordings`.
      scan_folder: where the scan for the lengths keeps what it has done.
      jobs: runs the scan.
    """
    measured, refused = header_scan.scan(
        config.input, found.recordings, config.min_seconds, scan_folder, jobs
    )
    spans: list[tuple[Recording, float, float]] = []
    for recording, seconds in measured:
        span = (0.0, seconds)
        try:
            if recording.segment:
                span = recording.segment.place(seconds, config.min_seconds)
            spans.append((recording, *span))
        except AudioRejected as rejected:
            refused.append((recording.name, rejected.kind, rejected.reason))
    paths = [recording.path for recording, _, _ in spans]
    evaluated = clip_plan.held_out(paths, config.eval_fraction, config.seed)
    # A split that the table names is wanted, also where all of it is bad.
    clips_of: dict[str, list[ClipPlan]] = {
        recording.split: [] for recording in found.recordings if recording.split
    }
    unused_s = 0.0
    for recording, start_s, end_s in spans:
        clips = clip_plan.cut(
            recording,
            start_s,
            end_s,
            config.clip_seconds,
            config.hop_seconds or config.clip_seconds,
            config.min_seconds,
        )
        split = EVAL if recording.path in evaluated else TRAIN
        clips_of.setdefault(recording.split or split, []).extend(clips)
        unused_s += max(0, end_s - clips[-1].start_s - config.clip_seconds)
    class_names = found.class_names or tuple(
        sorted({label for r, _, _ in spans for label in r.labels})
    )
    reader = clip_shards.ClipReader(
        folder=os.path.abspath(config.input),
        sample_rate_hz=config.sample_rate_hz,
        min_seconds=config.min_seconds,
        silence_db=None if config.keep_silent else config.silence_db,
        audio_format=config.audio_format,
    )
    for split, clips in clips_of.items():
        clips_of[split] = clip_plan.shuffled(clips, config.seed, split)
    return Plan(
        _tasks(config, clips_of, class_names, reader),
        class_names,
        (*found.rejects, *refused),
        found.missing,
        {
            "recordings": len(spans),
            **found.counts,
            "seconds_after_last_clip": round(unused_s, 3),
        },
    )


def _tasks(
    config: IngestConfig,
    clips_of: Mapping[str, list[ClipPlan] | list[ScenePlan]],
    class_names: tuple[str, ...],
    reader: ClipReader | SceneMaker,
) -> dict[str, list[ClipShardTask]]:
    return {
        split: [
            ClipShardTask(shard, clips, class_names, reader)
            for shard, clips in clip_plan.deal(
                clips_of[split], split, config.clips_per_shard
            )
        ]
        for split in sorted(clips_of)
    }
