"""Recordings or synthetic scenes → shards, and what is known of them."""

import pathlib
import shutil

import soundfile
from absl import logging

from data.ingest import clip_shards, ingest_plan
from data.ingest.ingest_config import SYNTHETIC, IngestConfig
from data.ingest.ingest_plan import Plan
from data.jobs import beam_runner
from data.jobs.decoder_pool import DecoderPool
from data.jobs.decoding_jobs import DecodingJobs
from data.run import rejects, run_directory, run_lock
from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from data.shards import shard_statistics
from data.shards.dataset_info import DATASET_FILE, DatasetInfo
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
    workers = 1 if runner else config.workers
    timeout_s = None if is_synthetic else config.item_timeout_seconds
    try:
        with DecoderPool(workers, timeout_s) as pool:
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
        plan = ingest_plan.plan_scenes(config)
        _write_query(config)
    else:
        # Before the folder is made: it would keep a mistyped --input.
        found = ingest_plan.find_recordings(config)
        run_directory.start(config.output, STAGE, config)
        scans = folder / _SCAN_FOLDER
        plan = ingest_plan.plan_clips(config, found, scans, jobs)
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
    num_inputs = len(plan.refused) + sum(task.num_items for task in tasks)
    left_out = []

    def leave_out(refused):
        left_out.extend(map(tuple, refused))
        limit = config.max_bad_fraction
        rejects.check_share(left_out, num_inputs, limit, folder)

    leave_out(plan.refused)
    accounts = jobs.run(
        STAGE,
        clip_shards.write_clips,
        tasks,
        folder,
        on_account=lambda account: leave_out(account["rejects"]),
    )
    left_out += plan.missing
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
        splits={},
        has_stems=config.source == SYNTHETIC,
        summary={
            "rejects": rejects.count_kinds(left_out),
            **plan.counts,
            **{
                name: sum(account["counts"][name] for account in accounts)
                for name in shard_statistics.CONVERSIONS
            },
        },
    )
    shutil.rmtree(folder / _SCAN_FOLDER, ignore_errors=True)
    return shard_statistics.finish(info, by_split)
