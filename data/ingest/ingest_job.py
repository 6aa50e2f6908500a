"""Recordings or synthetic scenes → shards, and what is known of them."""

import pathlib
import shutil

import soundfile
from absl import logging

from data.ingest import clip_shards
from data.ingest.ingest_config import SYNTHETIC, IngestConfig
from data.ingest.ingest_plan import (
    Plan,
    find_recordings,
    plan_clips,
    plan_scenes,
)
from data.jobs import beam_runner
from data.jobs.decoder_pool import DecoderPool
from data.jobs.decoding_jobs import DecodingJobs
from data.run import rejects, run_directory, run_lock
from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from data.run.rejects import Reject, RejectLimit
from data.shards import shard_offsets, shard_statistics
from data.shards.dataset_info import DATASET_FILE, DatasetInfo, Shard
from data.synthetic.scenes import generate_scene

STAGE = "write_shards"
_SCAN_FOLDER = "headers"


def run(config: IngestConfig) -> DatasetInfo:
    """Writes the shards that are not there yet, then `dataset.json`.

    Raises:
      UserError: the input cannot be used, most of it is bad, or the output
        folder holds something else or is being written.
    """
    runner = beam_runner.choose(config)
    is_synthetic = config.source == SYNTHETIC
    try:
        with DecoderPool(
            1 if runner else config.workers,
            None if is_synthetic else config.item_timeout_seconds,
        ) as pool:
            return _run(config, DecodingJobs(pool, runner))
    finally:
        run_lock.release(config.output)


def _run(config: IngestConfig, jobs: DecodingJobs) -> DatasetInfo:
    folder = pathlib.Path(config.output)
    if (folder / DATASET_FILE).exists():
        run_directory.start(config.output, STAGE, config)
        try:
            info = DatasetInfo.load(folder)
            info.check_whole()
            logging.info("%s is finished: nothing to do", folder)
            return info
        except UserError as error:
            logging.warning("%s", error)
    if config.source == SYNTHETIC:
        run_directory.start(config.output, STAGE, config)
        plan = plan_scenes(config)
        _write_query(config)
    else:
        # Before the folder is made: it would keep a mistyped --input.
        found = find_recordings(config)
        run_directory.start(config.output, STAGE, config)
        plan = plan_clips(config, found, folder / _SCAN_FOLDER, jobs)
    return _write(plan, folder, config, jobs)


def _write_query(config: IngestConfig) -> None:
    """Writes a scene that is not in the shards, to search them with."""
    rate_hz = config.sample_rate_hz
    scene = generate_scene(
        config.seed, config.num_clips, config.scene_seconds, rate_hz
    )
    with atomic_path(pathlib.Path(config.output) / "query.wav") as beside:
        soundfile.write(str(beside), scene.audio, rate_hz)


def _write(
    plan: Plan, folder: pathlib.Path, config: IngestConfig, jobs: DecodingJobs
) -> DatasetInfo:
    tasks = [task for tasks in plan.tasks.values() for task in tasks]
    num_clips = sum(task.num_items for task in tasks)
    limit = RejectLimit(
        folder, num_clips + len(plan.refused), config.max_bad_fraction
    )
    limit.add(plan.refused)
    accounts = jobs.run(
        STAGE,
        clip_shards.write_clips,
        tasks,
        folder,
        on_account=lambda account: limit.add(account["rejects"]),
    )
    left_out = (*limit.rejects, *plan.missing)
    rejects.write(folder, left_out)
    of_shard = {account["shard"]: account for account in accounts}
    by_split = {
        split: [of_shard[task.shard] for task in tasks]
        for split, tasks in plan.tasks.items()
    }
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
    shard_offsets.write(info, {a["shard"]: a["offsets"] for a in accounts})
    info.save()
    return info


def _summary(
    plan: Plan, by_split: dict[str, list[dict]], left_out: tuple[Reject, ...]
) -> dict:
    """The counts in `dataset.json`, for people and for the report."""
    every = [a for accounts in by_split.values() for a in accounts]
    return {
        **shard_statistics.totals(by_split, plan.class_names),
        "rejects": rejects.count_kinds(left_out),
        **plan.counts,
        **{
            name: sum(account["counts"][name] for account in every)
            for name in shard_statistics.CONVERSIONS
        },
    }
