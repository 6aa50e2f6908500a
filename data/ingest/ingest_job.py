"""Recordings or synthetic scenes → shards, and what is known of them."""

import collections
import os
import pathlib
import shutil
from collections.abc import Sequence

import soundfile
from absl import logging

from data.ingest import clip_shards, ingest_plan, recording_table
from data.ingest.ingest_config import SYNTHETIC, IngestConfig
from data.ingest.ingest_plan import Plan
from data.jobs import beam_runner
from data.jobs.decoder_pool import DecoderPool
from data.jobs.decoding_jobs import DecodingJobs
from data.run import rejects, run_directory, run_lock
from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from data.run.rejects import Reject
from data.shards import shard_statistics
from data.shards.dataset_info import DATASET_FILE, DatasetInfo
from data.sources.recording_files import SOUND_SUFFIXES, suffix_of
from data.synthetic.scenes import generate_scene

STAGE = "write_shards"
_SCAN_FOLDER = "headers"


def run(config: IngestConfig) -> DatasetInfo:
    """Writes the shards that are not there yet, then `dataset.json`.

    The recordings are looked into each time. Where they, their labels or
    splits have changed, the shards that depend on it are made again.

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
    finished = _finished(folder)
    if config.source == SYNTHETIC:
        run_directory.start(config.output, STAGE, config, keep_files=True)
        plan = ingest_plan.plan_scenes(config)
        _write_query(config)
    elif finished and _are_gone(config):
        run_directory.start(config.output, STAGE, config, keep_files=True)
        logging.warning(
            "--input=%s: the recordings are gone; %s is finished and stays as "
            "it is",
            config.input,
            folder,
        )
        return finished
    else:
        # Before the folder is made: it would keep a mistyped --input.
        found = ingest_plan.find_recordings(config)
        run_directory.start(config.output, STAGE, config, keep_files=True)
        scans = folder / _SCAN_FOLDER
        plan = ingest_plan.plan_clips(config, found, scans, jobs)
    if changes := recording_table.changes(folder, plan.recordings):
        logging.info(
            "recordings have changed: %s; the shards that depend on them are "
            "made again",
            changes,
        )
    info = _write(plan, folder, config, jobs)
    if info == finished:
        logging.info("%s is finished: nothing to do", folder)
    return info


def _finished(folder: pathlib.Path) -> DatasetInfo | None:
    """What is there, if all of it is."""
    if not (folder / DATASET_FILE).exists():
        return None
    try:
        info = DatasetInfo.load(folder)
        info.check_whole()
        return info
    except UserError as error:
        logging.warning("%s", error)
        return None


def _are_gone(config: IngestConfig) -> bool:
    """Whether no recording is there any more, nor what is named like one."""
    known = recording_table.files(pathlib.Path(config.output))
    if any(os.path.exists(os.path.join(config.input, name)) for name in known):
        return False
    return not any(
        suffix_of(name) in SOUND_SUFFIXES
        for _, _, files in os.walk(config.input, followlinks=False)
        for name in files
    )


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
    clips_of = collections.Counter(
        clip.source for task in tasks for clip in task.clips
    )
    num_inputs = len(plan.refused) + len(clips_of)
    left_out: list[Reject] = []
    bad = list(plan.refused)
    refused_of = collections.Counter()

    def leave_out(refused: Sequence[Sequence[str]]) -> None:
        """A recording is bad once all its clips are."""
        for reject in map(tuple, refused):
            left_out.append(reject)
            refused_of[reject[0]] += 1
            if refused_of[reject[0]] == clips_of[reject[0]]:
                bad.append(reject)
        limit = config.max_bad_fraction
        rejects.check_share(bad, num_inputs, limit, folder, left_out)

    left_out.extend(plan.refused)
    leave_out([])
    accounts = jobs.run(
        STAGE,
        clip_shards.write_clips,
        tasks,
        folder,
        on_account=lambda account: leave_out(account["rejects"]),
        index_file=DATASET_FILE,
    )
    left_out += plan.missing
    in_part = [
        *plan.in_part,
        *(tuple(row) for a in accounts for row in a["in_part"]),
    ]
    others = rejects.others_by_suffix(plan.others)
    rejects.write(folder, [*left_out, *in_part, *others])
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
            "in_part": rejects.count_kinds(in_part),
            "other_files": dict(rejects.count_suffixes(plan.others)),
            **plan.counts,
            **{
                name: sum(account["counts"][name] for account in accounts)
                for name in shard_statistics.CONVERSIONS
            },
        },
    )
    if plan.recordings:
        recording_table.write(folder, plan.recordings)
    shutil.rmtree(folder / _SCAN_FOLDER, ignore_errors=True)
    return shard_statistics.finish(info, by_split)
