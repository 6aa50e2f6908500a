"""Recordings or synthetic scenes → shards, and what is known of them."""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Mapping

from absl import logging

from data import (
    clip_shards,
    header_scan,
    ingest_plan,
    label_table,
    manifest,
    rejects,
    run_directory,
    scene_shards,
    shard_jobs,
    synthetic_scenes,
)
from data.clip_shards import ClipShardTask
from data.dataset_info import DATASET_FILE, DatasetInfo, Shard
from data.ingest_config import SYNTHETIC, IngestConfig
from data.manifest import Manifest
from data.rejects import Reject, RejectLimit
from data.scene_shards import SceneShardTask
from data.user_error import UserError

STAGE = "write_shards"

_SCAN_FOLDER = "headers"


@dataclasses.dataclass(frozen=True)
class _Plan:
    """The shards to write, by split, and what was found out before."""

    write_shard: shard_jobs.ShardFunction
    tasks: Mapping[str, list]
    class_names: tuple[str, ...]
    refused: tuple[Reject, ...] = ()
    missing: tuple[Reject, ...] = ()
    counts: dict = dataclasses.field(default_factory=dict)


def run(config: IngestConfig) -> DatasetInfo:
    """Writes the shards that are not there yet, then `dataset.json`.

    Raises:
      UserError: the input cannot be used, most of it is bad, or the output
        folder holds something else.
    """
    folder = pathlib.Path(config.output)
    if (folder / DATASET_FILE).exists():
        run_directory.start(config.output, STAGE, config)
        try:
            info = DatasetInfo.load(folder)
            logging.info("%s is finished: nothing to do", folder)
            return info
        except UserError as error:
            logging.warning("%s", error)
    if config.source == SYNTHETIC:
        run_directory.start(config.output, STAGE, config)
        plan = _plan_scenes(config)
    else:
        # Before the folder is made: it would keep a mistyped --input.
        found = _find(config)
        run_directory.start(config.output, STAGE, config)
        plan = _plan_clips(config, found, folder)
    return _write(plan, folder, config)


def _find(config: IngestConfig) -> Manifest:
    table = None
    if config.labels:
        table = label_table.read(
            config.labels, config.filename_column, config.label_column
        )
    return manifest.read_folder(
        config.input, table, config.eval_folds, config.classes
    )


def _plan_scenes(config: IngestConfig) -> _Plan:
    scene = synthetic_scenes.SceneConfig(
        seconds=config.scene_seconds, sample_rate_hz=config.sample_rate_hz
    )
    names = [scene_shards.scene_name(k) for k in range(config.num_clips)]
    splits = ingest_plan.draw_splits(names, config.eval_fraction, config.seed)
    tasks = {}
    for split in sorted(set(splits)):
        scenes = [k for k, drawn in enumerate(splits) if drawn == split]
        tasks[split] = [
            SceneShardTask(
                shard, config.seed, numbers, scene, config.audio_format
            )
            for shard, numbers in ingest_plan.deal(
                scenes, split, config.clips_per_shard
            )
        ]
    return _Plan(scene_shards.write_scenes, tasks, synthetic_scenes.CLASS_NAMES)


def _plan_clips(
    config: IngestConfig, found: Manifest, folder: pathlib.Path
) -> _Plan:
    measured, refused = header_scan.scan(
        config.input,
        found.recordings,
        config.min_seconds,
        folder / _SCAN_FOLDER,
        config.workers,
    )
    drawn = ingest_plan.draw_splits(
        [recording.path for recording, _ in measured],
        config.eval_fraction,
        config.seed,
    )
    clips_of: dict[str, list[ingest_plan.ClipPlan]] = {}
    unused_s = 0.0
    for (recording, seconds), split in zip(measured, drawn, strict=True):
        clips = ingest_plan.cut(
            recording,
            seconds,
            config.clip_seconds,
            config.hop_seconds or config.clip_seconds,
            config.min_seconds,
        )
        clips_of.setdefault(recording.split or split, []).extend(clips)
        unused_s += max(0, seconds - clips[-1].start_s - config.clip_seconds)
    class_names = config.classes or tuple(
        sorted({label for r, _ in measured for label in r.labels})
    )
    tasks = {
        split: [
            ClipShardTask(
                shard=shard,
                folder=os.path.abspath(config.input),
                clips=clips,
                class_names=class_names,
                sample_rate_hz=config.sample_rate_hz,
                clip_seconds=config.clip_seconds,
                min_seconds=config.min_seconds,
                silence_db=None if config.keep_silent else config.silence_db,
                audio_format=config.audio_format,
            )
            for shard, clips in ingest_plan.deal(
                ingest_plan.shuffled(clips_of[split], config.seed, split),
                split,
                config.clips_per_shard,
            )
        ]
        for split in sorted(clips_of)
    }
    return _Plan(
        clip_shards.write_clips,
        tasks,
        class_names,
        (*found.rejects, *refused),
        found.missing,
        {
            "recordings": len(measured),
            **found.counts,
            "seconds_after_last_clip": round(unused_s, 3),
        },
    )


def _write(
    plan: _Plan, folder: pathlib.Path, config: IngestConfig
) -> DatasetInfo:
    tasks = [task for tasks in plan.tasks.values() for task in tasks]
    num_clips = sum(task.num_items for task in tasks)
    limit = RejectLimit(
        folder, num_clips + len(plan.refused), config.max_bad_fraction
    )
    limit.add(plan.refused)
    accounts = shard_jobs.run(
        STAGE,
        plan.write_shard,
        tasks,
        folder,
        config.workers,
        on_account=lambda account: limit.add(account["rejects"]),
    )
    left_out = (*limit.rejects, *plan.missing)
    rejects.write(folder, left_out)
    by_split = _by_split(plan, accounts)
    for split, of_split in by_split.items():
        if not sum(account["clips"] for account in of_split):
            raise UserError(
                f"split {split} has no clip: all were rejected, see "
                f"{folder / rejects.REJECTS_FILE}"
            )
    if not accounts:
        raise UserError(f"no clip is left, see {folder / rejects.REJECTS_FILE}")
    info = DatasetInfo(
        folder=folder,
        sample_rate_hz=config.sample_rate_hz,
        audio_format=config.audio_format,
        class_names=plan.class_names,
        splits={
            split: tuple(
                Shard(
                    file=account["shard"],
                    clips=account["clips"],
                    seconds=account["seconds"],
                    num_bytes=account["num_bytes"],
                )
                for account in of_split
            )
            for split, of_split in by_split.items()
        },
        has_stems=config.source == SYNTHETIC,
        summary=_summary(plan, by_split, left_out),
    )
    shutil.rmtree(folder / _SCAN_FOLDER, ignore_errors=True)
    info.save()
    return info


def _by_split(plan: _Plan, accounts: list[dict]) -> dict[str, list[dict]]:
    of_shard = {account["shard"]: account for account in accounts}
    return {
        split: [of_shard[task.shard] for task in tasks]
        for split, tasks in plan.tasks.items()
    }


def _summary(
    plan: _Plan,
    by_split: dict[str, list[dict]],
    left_out: tuple[Reject, ...],
) -> dict:
    """The counts in `dataset.json`, for people and for the report."""

    def total(split: str, key: str) -> float:
        return sum(account[key] for account in by_split[split])

    every = [a for accounts in by_split.values() for a in accounts]
    return {
        "clips": {split: total(split, "clips") for split in by_split},
        "seconds": {
            split: round(total(split, "seconds"), 3) for split in by_split
        },
        "unlabeled": {split: total(split, "unlabeled") for split in by_split},
        "clips_per_class": {
            split: {
                name: sum(a["labels"].get(name, 0) for a in accounts)
                for name in plan.class_names
            }
            for split, accounts in by_split.items()
        },
        "rejects": rejects.count_kinds(left_out),
        **plan.counts,
        **{
            name: sum(account["counts"][name] for account in every)
            for name in (every[0]["counts"] if every else ())
        },
    }
