"""The options of `data/write_shards.py`."""

import dataclasses

from data.flag_fields import option

FOLDER, SYNTHETIC = "folder", "synthetic"


@dataclasses.dataclass(frozen=True)
class IngestConfig:
    """Where clips come from, how they are cut, and where they go."""

    source: str = option(
        FOLDER, "where clips come from", choices=(FOLDER, SYNTHETIC)
    )
    output: str = option("", "folder for the shards (required)")
    input: str = option("", "folder of recordings, searched at any depth")
    labels: str = option(
        "", "CSV of labels; empty: the first sub-folder is the label"
    )
    label_column: str = option("labels", "CSV column, several joined by ;")
    filename_column: str = option(
        "filename", "CSV column: a path inside --input, or a bare file name"
    )
    classes: tuple[str, ...] = option(
        (),
        "class names, in order; any other label is refused; empty: all "
        "labels found, sorted",
    )
    eval_folds: tuple[str, ...] = option(
        (),
        "folds of the CSV that make the split eval; empty: the last one, "
        "where there is a fold column and no split column",
    )
    eval_fraction: float = option(
        0.25,
        "share of the recordings drawn for the split eval, where no CSV "
        "says fold or split",
        minimum=0,
        maximum=1,
    )
    sample_rate_hz: int = option(
        16000, "sample rate of the clips, Hz", minimum=4000, maximum=192000
    )
    clip_seconds: float = option(
        10.0, "length that longer recordings are cut to, s", minimum=0.01
    )
    hop_seconds: float = option(
        0.0, "from one cut to the next, s; 0: --clip_seconds", minimum=0
    )
    min_seconds: float = option(
        0.25, "shorter recordings and remainders are left out, s", minimum=0.01
    )
    silence_db: float = option(
        -80.0, "clips with a lower peak are left out, dBFS", maximum=0
    )
    keep_silent: bool = option(False, "keep silent clips")
    num_clips: int = option(1000, "number of synthetic scenes", minimum=1)
    scene_seconds: float = option(
        5.0, "length of a synthetic scene, s", minimum=0.25
    )
    unlabeled_fraction: float = option(
        0.0,
        "share of the synthetic scenes outside eval that go, without their "
        "labels, to the split unlabeled",
        minimum=0,
        maximum=1,
    )
    audio_format: str = option(
        "pcm16",
        "pcm16: fast to read; flac: some 0.7 of the size, 30 times the time",
        choices=("pcm16", "flac"),
    )
    clips_per_shard: int = option(128, "most clips in a file", minimum=1)
    seed: int = option(
        0, "of the scenes, the drawn split and the order of clips", minimum=0
    )
    workers: int = option(
        0,
        "processes; 0: one a core; 1: none beside this one",
        minimum=0,
        runtime_only=True,
    )
    max_bad_fraction: float = option(
        0.5,
        "share of rejected inputs past which the job stops",
        minimum=0,
        maximum=1,
        runtime_only=True,
    )

    def __post_init__(self) -> None:
        if not self.output:
            raise ValueError("--output is empty: name the folder to write to")
        if self.source == FOLDER and not self.input:
            raise ValueError(
                "--input is empty: name the folder of recordings, or use "
                "--source=synthetic"
            )
        if self.source == SYNTHETIC:
            for name in ("input", "labels", "classes", "eval_folds"):
                if getattr(self, name):
                    raise ValueError(
                        f"--{name} does not go with --source=synthetic: "
                        "leave one of them out"
                    )
        elif self.unlabeled_fraction:
            raise ValueError(
                "--unlabeled_fraction goes with --source=synthetic; leave "
                "recordings out of --labels instead"
            )
        if self.eval_folds and not self.labels:
            raise ValueError("--eval_folds needs --labels, a CSV with a fold")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("--classes names a class twice")
        if self.min_seconds > self.clip_seconds:
            raise ValueError(
                f"--min_seconds={self.min_seconds:g} is above --clip_seconds="
                f"{self.clip_seconds:g}: no clip could be kept"
            )
