"""Options of `embed.py`."""

import dataclasses

from data.jobs.beam_runner import RunnerOptions
from data.run.flag_fields import option

_OF_FILES = {"input": ()}


@dataclasses.dataclass(frozen=True)
class EmbedConfig(RunnerOptions):
    """The flags of `embed.py`."""

    encoder: str = option(
        "", "run directory of pretraining", required=True, runtime_only=True
    )
    input: str = option(
        "",
        "sound files to embed: a file, a folder, or a pattern such as "
        "'field/**/*.wav'",
        group="Sound files",
        runtime_only=True,
    )
    hop_seconds: float | None = option(
        None,
        "time between the starts of two windows; default: the encoder's",
        needs=_OF_FILES,
    )
    tables: tuple[str, ...] = option(
        ("csv", "parquet"),
        "formats of the tables; empty: none",
        needs=_OF_FILES,
        runtime_only=True,
    )
    max_bad_fraction: float = option(
        0.1,
        "stop when more than this share of the files cannot be used",
        minimum=0.0,
        maximum=1.0,
        needs=_OF_FILES,
        runtime_only=True,
    )
    workers: int = option(
        0,
        "processes that decode; 0: one for each core",
        minimum=0,
        needs=_OF_FILES,
        runtime_only=True,
    )
    item_timeout_seconds: float = option(
        300.0,
        "longest time that a minute of sound may take to decode",
        minimum=0.1,
        needs=_OF_FILES,
        runtime_only=True,
    )
    shards: str = option(
        "",
        "what to embed; default: the encoder's training shards",
        group="Shards",
        runtime_only=True,
    )
    splits: tuple[str, ...] = option((), "splits to embed; empty: all")
    output: str = option(
        "", "run directory to write", required=True, runtime_only=True
    )

    def __post_init__(self):
        super().__post_init__()
        if not self.output:
            raise ValueError("--output is empty: name the folder to write to")
        if self.input and self.shards:
            raise ValueError(
                "--input names sound files and --shards clips: name one of them"
            )
        for name in self.tables:
            if name not in ("csv", "parquet"):
                raise ValueError(
                    f"--tables={name} is unknown: take csv, parquet or both"
                )
