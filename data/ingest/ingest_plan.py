"""From options to the shards that are to be written."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

from data.audio.audio_header import AudioRejected
from data.ingest import clip_plan, clip_shards, header_scan
from data.ingest.clip_plan import ClipPlan, ScenePlan
from data.ingest.clip_shards import ClipReader, ClipShardTask, SceneMaker
from data.ingest.ingest_config import AUDIOSET, ESC, FSD50K, IngestConfig
from data.jobs.decoding_jobs import DecodingJobs
from data.run import rejects
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
      in_part: recordings of which a part is not there.
      others: names of files that are no recordings.
      recordings: those used, each with its split.
      counts: for the summary.
    """

    tasks: dict[str, list[ClipShardTask]]
    class_names: tuple[str, ...]
    refused: tuple[Reject, ...] = ()
    missing: tuple[Reject, ...] = ()
    in_part: tuple[Reject, ...] = ()
    others: tuple[str, ...] = ()
    recordings: tuple[Recording, ...] = ()
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
    """Shards of clips, from what is in the recordings.

    Args:
      config: the options.
      found: from `find_recordings`.
      scan_folder: where the scan of the recordings writes.
      jobs: runs the scan.

    Raises:
      UserError: there is no recording.
    """
    measured, refused, no_sounds = header_scan.scan(
        config.input, found.recordings, config.min_seconds, scan_folder, jobs
    )
    others = (*found.others, *no_sounds)
    if not (measured or refused or found.rejects):
        kinds = rejects.count_suffixes(others)
        what = ", ".join(f"{count} {suffix}" for suffix, count in kinds)
        raise UserError(
            f"--input={config.input} has no recording at any depth (found: "
            f"{what})"
        )
    spans: list[tuple[Recording, float, float]] = []
    for recording in measured:
        seconds = recording.header.seconds
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
    used = []
    for recording, start_s, end_s in spans:
        clips = clip_plan.cut(
            recording,
            start_s,
            end_s,
            config.clip_seconds,
            config.hop_seconds or config.clip_seconds,
            config.min_seconds,
        )
        drawn = EVAL if recording.path in evaluated else TRAIN
        split = recording.split or drawn
        clips_of.setdefault(split, []).extend(clips)
        used.append(dataclasses.replace(recording, split=split))
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
        tuple(
            (recording.name, "cut_short", recording.header.cut_short)
            for recording in used
            if recording.header.cut_short
        ),
        others,
        tuple(used),
        {
            "recordings": len(spans),
            **found.counts,
            "files_without_row": sum(
                bool(config.labels) and not r.is_named for r in used
            ),
            "of_unknown_length": sum(r.header.by_file_length for r in used),
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
            ClipShardTask(shard, clips, _numbers(clips, class_names), reader)
            for shard, clips in clip_plan.deal(
                clips_of[split], split, config.clips_per_shard
            )
        ]
        for split in sorted(clips_of)
    }


def _numbers(
    clips: Sequence[ClipPlan] | Sequence[ScenePlan], class_names: Sequence[str]
) -> tuple[tuple[str, int], ...]:
    """The labels that clips can have, with their numbers, in their order."""
    labels = set(class_names)
    if isinstance(clips[0], ClipPlan):
        labels = {label for c in clips for label in c.recording.labels}
    return tuple(
        (name, number)
        for number, name in enumerate(class_names)
        if name in labels
    )
