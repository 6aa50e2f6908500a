"""The options of `data/write_shards.py`."""

import dataclasses

from data.jobs.beam_runner import LOCAL, RunnerOptions
from data.run.flag_fields import option

FOLDER, SYNTHETIC = "folder", "synthetic"
ESC, FSD50K, AUDIOSET = "esc", "fsd50k", "audioset"
SOURCES = (FOLDER, ESC, FSD50K, AUDIOSET, SYNTHETIC)
_RECORDED = (FOLDER, ESC, FSD50K, AUDIOSET)

# Options that not every source reads.
_SOURCES_OF = {
    "input": _RECORDED,
    "labels": (FOLDER,),
    "label_column": (FOLDER,),
    "filename_column": (FOLDER,),
    "classes": (FOLDER,),
    "eval_folds": (FOLDER, ESC),
    "eval_fraction": (FOLDER, SYNTHETIC),
    "esc10_only": (ESC,),
    "segments": (AUDIOSET,),
    "class_labels": (AUDIOSET,),
    "unlabeled_fraction": (SYNTHETIC,),
    "clip_seconds": _RECORDED,
    "hop_seconds": _RECORDED,
    "min_seconds": _RECORDED,
    "silence_db": _RECORDED,
    "keep_silent": _RECORDED,
    "num_clips": (SYNTHETIC,),
    "scene_seconds": (SYNTHETIC,),
    "item_timeout_seconds": _RECORDED,
}


@dataclasses.dataclass(frozen=True)
class IngestConfig(RunnerOptions):
    """Where clips come from, how they are cut, and where they go."""

    source: str = option(
        FOLDER, "where clips come from", choices=SOURCES, group="Source"
    )
    output: str = option(
        "", "folder for the shards", required=True, runtime_only=True
    )
    # Paths may change: what lies there is compared by content.
    input: str = option(
        "",
        "folder of recordings (required, but for synthetic); of the whole "
        "dataset for esc and fsd50k",
        runtime_only=True,
    )
    labels: str = option(
        "",
        "CSV of labels; empty: the first sub-folder is the label",
        runtime_only=True,
    )
    label_column: str = option(
        "labels", "CSV column, several joined by ;", needs={"labels": ()}
    )
    filename_column: str = option(
        "filename",
        "CSV column: a path inside --input, or a bare file name",
        needs={"labels": ()},
    )
    classes: tuple[str, ...] = option(
        (),
        "class names, in order; any other label is refused; empty: all "
        "labels found, sorted",
    )
    eval_folds: tuple[str, ...] = option(
        (),
        "folds of the CSV that make the split eval; empty: the last one, "
        "where there is a fold column and no split column; with esc, each "
        "fold is a split then: fold1, fold2, ...",
    )
    esc10_only: bool = option(False, "of ESC-50, the rows with esc10 = True")
    segments: tuple[str, ...] = option(
        (),
        "AudioSet's CSVs of segments; those with eval in their name make the "
        "split eval, the others train",
        runtime_only=True,
    )
    class_labels: str = option(
        "", "AudioSet's class_labels_indices.csv", runtime_only=True
    )
    eval_fraction: float = option(
        0.25,
        "share of the recordings drawn for the split eval, where no CSV "
        "says fold or split",
        minimum=0,
        maximum=1,
    )
    sample_rate_hz: int = option(
        16000,
        "sample rate of the clips, Hz",
        minimum=4000,
        maximum=192000,
        group="Clips",
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
        -80.0,
        "clips with a lower peak are left out, dBFS",
        maximum=0,
        needs={"keep_silent": (False,)},
    )
    keep_silent: bool = option(False, "keep silent clips")
    num_clips: int = option(
        1000, "number of synthetic scenes", minimum=1, group="Synthetic scenes"
    )
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
        group="Shards and the job",
    )
    clips_per_shard: int = option(128, "most clips in a file", minimum=1)
    seed: int = option(
        0, "of the scenes, the drawn split and the order of clips", minimum=0
    )
    workers: int = option(
        0,
        "processes, of the local runner; 0: one a core",
        minimum=0,
        runtime_only=True,
        needs={"runner": (LOCAL,)},
    )
    item_timeout_seconds: float = option(
        120.0,
        "a recording that takes longer to read, or ends the process that "
        "reads it, is left out, s",
        minimum=0.1,
        runtime_only=True,
    )
    max_bad_fraction: float = option(
        0.5,
        "share of bad recordings past which the job stops",
        minimum=0,
        maximum=1,
        runtime_only=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.output:
            raise ValueError("--output is empty: name the folder to write to")
        if self.source != SYNTHETIC and not self.input:
            raise ValueError(
                "--input is empty: name the folder of recordings, or use "
                "--source=synthetic"
            )
        if self.source == AUDIOSET:
            for name, file in (
                ("segments", "balanced_train_segments.csv"),
                ("class_labels", "class_labels_indices.csv"),
            ):
                if not getattr(self, name):
                    raise ValueError(
                        f"--{name} is empty: --source=audioset needs {file}, "
                        "as published"
                    )
        for field in dataclasses.fields(self):
            sources = _SOURCES_OF.get(field.name, SOURCES)
            is_set = getattr(self, field.name) != field.default
            if is_set and self.source not in sources:
                raise ValueError(
                    f"--{field.name} does not go with --source={self.source}, "
                    f"only with {', '.join(sources)}: leave one of them out"
                )
        if self.source == FOLDER and self.eval_folds and not self.labels:
            raise ValueError("--eval_folds needs --labels, a CSV with a fold")
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("--classes names a class twice")
        if self.min_seconds > self.clip_seconds:
            raise ValueError(
                f"--min_seconds={self.min_seconds:g} is above --clip_seconds="
                f"{self.clip_seconds:g}: no clip could be kept"
            )
