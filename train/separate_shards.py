"""Separates every clip of some shards with the kept processors of a run.

The clips are written again, each with the channels of every processor beside
its mixture, so that pretraining need not separate.

  python train/separate_shards.py --shards=SHARDS --separator=RUN \\
      --processors=N,F,S2 --output=SEPARATED

The same command again makes only the shards that are missing.

Clips longer than --window_seconds are separated in windows, so that memory
does not grow with their length.

--runner=DataflowRunner (FlinkRunner, SparkRunner, ...) and --beam_options are
those of data/write_shards.py: many machines make the same shards.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.jobs import beam_runner
from data.run import (
    content,
    entry_point,
    flag_fields,
    processor_files,
    run_directory,
)
from data.shards.dataset_info import DatasetInfo
from train.separation.separate_config import SeparateConfig


def main() -> None:
    config = flag_fields.read(SeparateConfig)
    runner = beam_runner.choose(config)
    info = DatasetInfo.load(config.shards)
    files = processor_files.find(config.separator, config.processors)

    from train.separation import channel_writer

    inputs = {"separator": content.files_sha256(files)}
    folder = run_directory.start(
        config.output, "separate_shards", config, inputs, keep_files=True
    )
    separated = channel_writer.separate(info, files, folder, config, runner)
    print(separated.folder)


if __name__ == "__main__":
    flag_fields.define(SeparateConfig)
    entry_point.run(main)
