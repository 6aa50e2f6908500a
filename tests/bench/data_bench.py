"""Speed and memory of the data path: make bench-data.

Every speed stands beside what it is compared with, measured in the same run;
take the ratios, not the absolute figures, from one machine to another.
"""

from data.run import environment

environment.prepare()

import dataclasses  # noqa: E402
import os  # noqa: E402
import pathlib  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import timeit  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402

import numpy as np  # noqa: E402
import soundfile  # noqa: E402

from data.audio import codec, encoding, sound_file  # noqa: E402
from data.ingest import clip_plan, clip_shards  # noqa: E402
from data.ingest.clip_shards import ClipReader, ClipShardTask  # noqa: E402
from data.shards import shard_offsets  # noqa: E402
from data.shards.dataset_info import DatasetInfo  # noqa: E402
from data.shards.record_check import parse_checked  # noqa: E402
from data.shards.record_index import RecordIndex  # noqa: E402
from data.shards.record_reader import examples_in_order  # noqa: E402
from data.sources.recording_files import find_recordings  # noqa: E402
from tests.bench import machine  # noqa: E402
from tests.train.small_shards import noise_clips, write_shards  # noqa: E402
from train.contrastive import noise_steps, view_pipeline  # noqa: E402
from train.contrastive.contrastive_config import ContrastiveConfig  # noqa: E402
from train.contrastive.view_pipeline import ViewSpec  # noqa: E402

RATE_HZ = 16000
CLIP_S = 10.0
MIN_S = 0.25
RECORDINGS = 24
KINDS = {
    "wav, 44.1 kHz stereo": (".wav", 44100, 2),
    "wav, 16 kHz mono": (".wav", 16000, 1),
    "flac, 44.1 kHz stereo": (".flac", 44100, 2),
    "ogg, 44.1 kHz stereo": (".ogg", 44100, 2),
    "mp3, 44.1 kHz stereo": (".mp3", 44100, 2),
}
BATCH = 64
# Of a view of 0.96 s, and of its SpecAugment.
VIEW_SAMPLES, AUGMENT_DRAWS = 15600, 10
MEMORY_CLIPS = (1_000, 10_000, 100_000)
MEMORY_BATCHES = 300


def main() -> None:
    if len(sys.argv) == 2:
        print(_peak_megabytes(pathlib.Path(sys.argv[1])))
        return
    print(f"{machine.description()}\n")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        _print_ingest(folder)
        _print_reading(folder)
        _print_pipeline(folder)
        _print_memory(folder)


def _print_ingest(folder: pathlib.Path) -> None:
    """One process, so a figure is that of a core."""
    print("ingest to PCM shards at 16 kHz, x real time, one core")
    rng = np.random.default_rng(0)
    for kind, (suffix, rate_hz, channels) in KINDS.items():
        source = folder / kind
        source.mkdir()
        shape = (round(CLIP_S * rate_hz), channels)
        for number in range(RECORDINGS):
            soundfile.write(
                source / f"{number}{suffix}",
                rng.normal(0, 0.1, shape).astype("f4"),
                rate_hz,
            )
        recordings = [
            dataclasses.replace(
                recording,
                header=sound_file.read_header(source / recording.path),
            )
            for recording in find_recordings(str(source))
        ]
        plans = tuple(
            plan
            for recording in recordings
            for plan in clip_plan.cut(
                recording, 0, CLIP_S, CLIP_S, CLIP_S, MIN_S
            )
        )
        reader = ClipReader(str(source), RATE_HZ, MIN_S, None, encoding.PCM16)
        task = ClipShardTask("shard", plans, (), reader)

        def write(task=task):
            clips = (read() for _, read in task.items())
            clip_shards.write_clips(task, folder / "ingested", clips)

        spent = _seconds(write)
        print(f"  {kind:24}{RECORDINGS * CLIP_S / spent:10,.0f}")


def _print_reading(folder: pathlib.Path) -> None:
    print("\nreading shards whole, x real time, all cores")
    clips = 8 * noise_clips(64, round(CLIP_S * RATE_HZ))
    for audio_format in encoding.AUDIO_FORMATS:
        info = write_shards(
            folder / audio_format, clips, audio_format=audio_format
        )
        index = RecordIndex.of(info, ("train",))

        def to_audio(record, info=info):
            clip = parse_checked(record, info)
            return codec.decode(clip["audio/encoded"], info.audio_format)

        def read(index=index, to_audio=to_audio):
            for _ in examples_in_order(index, to_audio, _refuse):
                pass

        speed = len(clips) * CLIP_S / _seconds(read)
        print(f"  {audio_format:24}{speed:10,.0f}")


def _refuse(numbers: list[int]) -> None:
    raise AssertionError(f"records {numbers} cannot be read")


def _print_pipeline(folder: pathlib.Path) -> None:
    """Views of clips of 10 s against a training step on such views."""
    print(f"\npretraining, batch {BATCH}, clips of {CLIP_S:g} s: clips/s")
    mixtures = noise_clips(2 * BATCH, round(CLIP_S * RATE_HZ))
    halves = [np.stack([0.5 * mixture] * 2) for mixture in mixtures]
    info = write_shards(
        folder / "separated", mixtures, {"N": halves, "S2": halves}
    )
    config = ContrastiveConfig(width=0.25, batch_size=BATCH)
    step = noise_steps.make_step(config)
    eaten = 4 * BATCH / _seconds(lambda: [step() for _ in range(4)])
    print(f"  {'training, width 1/4':24}{eaten:10,.0f}")
    for name, processors in (
        ("separated shards", info.processors),
        ("mixtures alone", ()),
    ):
        batches = _batches(info, processors, VIEW_SAMPLES, AUGMENT_DRAWS)
        speed = 60 * BATCH / _seconds(lambda b=batches: _take(b, 60))
        print(f"  {name:24}{speed:10,.0f}{speed / eaten:8.1f} x training")


def _batches(
    info: DatasetInfo,
    processors: tuple[str, ...],
    view_samples: int,
    augment_draws: int = 0,
) -> Iterator:
    spec = ViewSpec(
        comparison="mix_vs_chan" if processors else "mix_vs_mix",
        processors=processors,
        num_channels=info.num_channels if processors else 0,
        view_samples=view_samples,
        max_offset_samples=10**9,
        silence_db=-70.0,
        augment_draws=augment_draws,
    )
    index = RecordIndex.of(info, ("train",))
    return iter(view_pipeline.batches(index, spec, BATCH, seed=0))


def _take(batches: Iterator, count: int) -> None:
    for _ in range(count):
        next(batches)


def _print_memory(folder: pathlib.Path) -> None:
    """Files of the larger sets are links to one shard: only sizes differ."""
    print(f"\npeak memory of a process that reads {MEMORY_BATCHES} batches, MB")
    one = write_shards(
        folder / "shard", noise_clips(1000, RATE_HZ // 10), num_shards=1
    )
    [shard] = one.splits["train"]
    offsets = shard_offsets.read(one)[shard.file]
    first = None
    for clips in MEMORY_CLIPS:
        place = folder / f"{clips} clips"
        place.mkdir()
        names = [f"{k:05}.tfrecord" for k in range(clips // shard.clips)]
        for name in names:
            os.link(one.folder / shard.file, place / name)
        shards = tuple(dataclasses.replace(shard, file=name) for name in names)
        info = dataclasses.replace(one, folder=place, splits={"train": shards})
        digest = shard_offsets.write(info, dict.fromkeys(names, offsets))
        dataclasses.replace(info, offsets_sha256=digest).save()
        peak = float(
            subprocess.run(
                [sys.executable, "-m", "tests.bench.data_bench", str(place)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
        )
        first = first or peak
        print(f"  {clips:<24,}{peak:10,.0f}{peak / first:8.2f} x the first")


def _peak_megabytes(shards: pathlib.Path) -> float:
    batches = _batches(DatasetInfo.load(shards), (), RATE_HZ // 20)
    _take(batches, MEMORY_BATCHES)
    # Not `ru_maxrss`, which a process inherits from the one that starts it.
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def _seconds(work: Callable[[], object]) -> float:
    """The best of three, after a first one that does not count."""
    return min(timeit.repeat(work, repeat=4, number=1)[1:])


if __name__ == "__main__":
    main()
