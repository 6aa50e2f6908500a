"""Embeds all clips of some shards with a trained encoder.

  python evaluate/embed.py --encoder=runs/pretrain --output=runs/embeddings

Shards are embedded one after the other; a killed job, run again, makes those
that are missing, and ends with the bytes of an uninterrupted one.

What is written to --output:
  <shard>.npz      embeddings of one shard's clips: `clips` (N, d), `windows`
                   (W, d) with the clip of each in `window_clip`, `clip_ids`,
                   `labels` (multi-hot), `class_names`
  clips.csv        every clip: its split, file, row in it, and labels
  embeddings.json  the encoder and its digest, d, classes, files of each split

--runner=DataflowRunner (FlinkRunner, SparkRunner, ...) and --beam_options are
those of data/write_shards.py: many machines make the same files.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.jobs import beam_runner
from data.jobs.beam_runner import RunnerOptions
from data.run import entry_point, flag_fields, run_directory
from data.run.flag_fields import option
from evaluate.embeddings import encoder_runs


@dataclasses.dataclass(frozen=True)
class EmbedConfig(RunnerOptions):
    """The flags of this entry point."""

    encoder: str = option(
        "", "run directory of pretraining", required=True, runtime_only=True
    )
    shards: str = option(
        "",
        "what to embed; default: the encoder's training shards",
        group="Data",
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


def main() -> None:
    config = flag_fields.read(EmbedConfig)
    runner = beam_runner.choose(config)
    info = encoder_runs.open_shards([config.encoder], config.shards)
    splits = info.any_splits(config.splits)

    from evaluate.embeddings import embedding_folder
    from evaluate.embeddings.encoders import load_encoders

    [encoder] = load_encoders([config.encoder], info)
    folder = run_directory.start(
        config.output,
        "embed",
        config,
        {"encoder": encoder.identity},
        keep_files=True,
    )
    accounts = embedding_folder.make(encoder, info, splits, folder, runner)
    clips = sum(account["clips"] for account in accounts)
    index = folder / embedding_folder.INDEX_FILE
    print(f"{clips} clips in {len(accounts)} files, described in {index}")


if __name__ == "__main__":
    flag_fields.define(EmbedConfig)
    entry_point.run(main)
