"""Shards to shards that carry the channels of each processor too."""

import collections
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from absl import logging

from data.audio import codec, encoding
from data.jobs import reading_jobs
from data.jobs.shard_jobs import Runner
from data.run import content, saved_network
from data.run.errors import UserError
from data.shards import example_schema, shard_statistics
from data.shards.dataset_info import DATASET_FILE, DatasetInfo
from data.shards.record_check import find_fault, parse_checked
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order
from data.shards.shard_statistics import ShardStatistics
from data.shards.shard_writer import ShardWriter
from models.separation.separator import Separator
from models.separation.stitching import stitch, window_starts
from train.separation.separate_config import SeparateConfig
from train.separation.traced_separators import TracedSeparators

# In accounts and the dataset's summary: clips and samples beyond full scale.
CLIPPED = "channels_clipped"

# One a process, for all of its shards.
_run = TracedSeparators()


@dataclasses.dataclass(frozen=True)
class SeparateTask:
    """One shard to separate; see `shard_jobs.Task`.

    Attributes:
      shard: name of the file, as in the source.
      num_items: its clips.
      source: digest of the clips of the source, see
        `DatasetInfo.shard_sha256`.
      processors: (name, digest of the network's file) of each.
      precision: what they compute in.
      window_samples: longest piece that they get at once; 0: whole clips.
      files: those of the processors. Shards do not depend on where they are,
        nor on what follows.
      batch_size: pieces separated together.
    """

    shard: str
    num_items: int
    source: str
    processors: tuple[tuple[str, str], ...]
    precision: str
    window_samples: int
    files: tuple[str, ...] = dataclasses.field(repr=False)
    batch_size: int = dataclasses.field(repr=False)

    @property
    def source_file(self) -> str:
        return self.shard


def separate(
    info: DatasetInfo,
    files: dict[str, pathlib.Path],
    folder: pathlib.Path,
    config: SeparateConfig,
    runner: Runner | None = None,
) -> DatasetInfo:
    """Separates all shards of a dataset that are not done yet.

    Clips that cannot be read are left out and listed in bad_records.csv.

    Args:
      files: processor name -> saved separator.
      folder: where the new shards go.
      runner: what runs the job; None: this process.

    Returns:
      The new dataset; its dataset.json is written last.

    Raises:
      UserError: a separator is for another sample rate, the separators differ
        in their number of channels, or too many clips cannot be read.
    """
    if folder.resolve() == info.folder.resolve():
        raise UserError(
            f"--output={folder} is the folder of --shards: choose another"
        )
    digests = {name: content.file_sha256(file) for name, file in files.items()}
    paths = {name: str(file.absolute()) for name, file in files.items()}
    separators = {
        name: _load(path, digests[name], config.precision)
        for name, path in paths.items()
    }
    num_channels = common_channels(separators, info)
    splits = [split for split, shards in info.splits.items() if shards]
    shards = info.shards_of(splits)
    tasks = [
        SeparateTask(
            shard.file,
            shard.clips,
            info.shard_sha256(shard),
            tuple(digests.items()),
            config.precision,
            round(config.window_seconds * info.sample_rate_hz),
            tuple(paths.values()),
            config.batch_size,
        )
        for shard in shards
    ]
    accounts = reading_jobs.run(
        "separate",
        _write_shard,
        tasks,
        info,
        splits,
        folder,
        config.max_bad_fraction,
        DATASET_FILE,
        runner=runner,
    )
    account_of = {account["shard"]: account for account in accounts}
    by_split = {
        split: [account_of[shard.file] for shard in shards]
        for split, shards in info.splits.items()
    }
    separated = dataclasses.replace(
        info,
        folder=folder,
        processors=tuple(files),
        num_channels=num_channels,
        summary=info.summary | {CLIPPED: _tell_of_clipped(accounts)},
    )
    separated = shard_statistics.finish(separated, by_split)
    logging.info(
        "%d of %d clips with %d channels of each of: %s",
        sum(account["clips"] for account in accounts),
        sum(shard.clips for shard in shards),
        num_channels,
        ", ".join(files),
    )
    return separated


def _write_shard(
    task: SeparateTask,
    index: RecordIndex,
    path: pathlib.Path,
    advance: Callable[[], None],
) -> dict:
    run_each = {
        name: functools.partial(_run, _load(file, digest, task.precision))
        for file, (name, digest) in zip(
            task.files, task.processors, strict=True
        )
    }
    encode = functools.partial(
        encoding.encode,
        audio_format=index.info.audio_format,
        sample_rate_hz=index.info.sample_rate_hz,
    )
    account, failed = ShardStatistics(index.info.sample_rate_hz), []
    clipped = collections.Counter()
    clips = _read(index, account, failed, advance)
    with ShardWriter(path) as writer:
        while batch := list(itertools.islice(clips, task.batch_size)):
            records, waveforms = zip(*batch, strict=True)
            separated = {
                name: _separate_batch(
                    waveforms, run, task.window_samples, task.batch_size
                )
                for name, run in run_each.items()
            }
            for number, record in enumerate(records):
                encoded = {
                    name: [encode(channel) for channel in channels[number]]
                    for name, channels in separated.items()
                }
                writer.write(example_schema.with_channels(record, encoded))
                samples = sum(
                    encoding.num_clipped(channels[number])
                    for channels in separated.values()
                )
                clipped.update(clips=samples > 0, samples=samples)
    return (
        account.as_json()
        | writer.as_json()
        | {
            "bad_records": failed,
            CLIPPED: {n: clipped[n] for n in ("clips", "samples")},
        }
    )


def _tell_of_clipped(accounts: Sequence[dict]) -> dict[str, int]:
    """Sums of what was clipped, after a warning where anything was."""
    total = {
        name: sum(account[CLIPPED][name] for account in accounts)
        for name in ("clips", "samples")
    }
    if total["clips"]:
        logging.warning(
            "%d clips have channels beyond full scale: %d samples of them are "
            "stored clipped. Separated on the fly (--separator of "
            "pretraining) they stay whole.",
            total["clips"],
            total["samples"],
        )
    return total


def _read(
    index: RecordIndex,
    account: ShardStatistics,
    failed: list[int],
    advance: Callable[[], None],
) -> Iterator[tuple[bytes, np.ndarray]]:
    """Record and waveform of the clips of a shard, in its order."""
    info, used = index.info, 0
    clips = examples_in_order(index, _to_clip_of(info), failed.extend)
    for record, labels, waveform in clips:
        # All of it is written again, not only what was read.
        if find_fault(record, info):
            failed.append(used + len(failed))
            continue
        used += 1
        advance()
        account.add(len(waveform), [info.class_names[k] for k in labels])
        yield record, waveform


@functools.lru_cache(maxsize=1)  # Of all shards of a job, it is one.
def _to_clip_of(info: DatasetInfo) -> Callable:
    """From a record to itself, its labels and its waveform."""

    def to_clip(record):
        clip = parse_checked(record, info)
        waveform = codec.decode(clip[example_schema.AUDIO], info.audio_format)
        return record, clip[example_schema.LABELS], waveform

    return to_clip


def _separate_batch(
    waveforms: Sequence[np.ndarray],
    run: Callable,
    window_samples: int,
    batch_size: int,
) -> list[np.ndarray]:
    """Channels (M, T) for each waveform (T,)."""
    starts = [window_starts(len(w), window_samples) for w in waveforms]
    pieces = [
        waveform[start : start + window_samples] if window_samples else waveform
        for waveform, of_waveform in zip(waveforms, starts, strict=True)
        for start in of_waveform
    ]
    # Padding would change the norms: together go those of one length.
    groups = collections.defaultdict(list)
    for place, piece in enumerate(pieces):
        groups[len(piece)].append(place)
    outputs = {}
    for group in groups.values():
        for first in range(0, len(group), batch_size):
            places = group[first : first + batch_size]
            batch = run(np.stack([pieces[place] for place in places]))
            outputs.update(zip(places, batch.numpy(), strict=True))
    in_order = (outputs[place] for place in range(len(pieces)))
    return [
        stitch(itertools.islice(in_order, len(s)), s, len(waveform))
        for waveform, s in zip(waveforms, starts, strict=True)
    ]


@functools.cache
def _load(file: str, digest: str, precision: str) -> Separator:
    """A saved separator that computes in `precision`.

    The weights stay float32, and so do transforms, masking and the sum. Each
    process loads it once.

    Raises:
      UserError: the file is another one than that of the digest.
    """
    if content.file_sha256(file) != digest:
        raise UserError(f"{file} is another one than when the job was started")
    separator = saved_network.load(file, Separator)
    if separator.dtype_policy.name == precision:
        return separator
    other = Separator(**{**separator.get_config(), "dtype": precision})
    other.set_weights(separator.get_weights())
    return other


def common_channels(separators: dict[str, Separator], info: DatasetInfo) -> int:
    """Channels of each separator.

    Raises:
      UserError: they differ, or one is for another rate than the shards.
    """
    for name, separator in separators.items():
        if separator.sample_rate_hz != info.sample_rate_hz:
            raise UserError(
                f"processor {name} is for {separator.sample_rate_hz} Hz, "
                f"{info.folder} has {info.sample_rate_hz} Hz: write the "
                f"shards with --sample_rate_hz={separator.sample_rate_hz}"
            )
    counts = {name: s.num_sources for name, s in separators.items()}
    if len(set(counts.values())) != 1:
        raise UserError(f"processors differ in channels: {counts}")
    return next(iter(counts.values()))
