r"""Embeds sound files, or all clips of some shards, with a trained encoder.

  python evaluate/embed.py --encoder=runs/pretrain --input=recordings \
      --output=runs/embeddings
  python evaluate/embed.py --encoder=runs/pretrain --output=runs/embeddings

A killed job, run again, makes what is missing, and ends with the bytes of an
uninterrupted one.

Of sound files (a file, a folder or a pattern; any format, rate, number of
channels and length) --output holds
  windows.csv, windows.parquet   each window: file, start_seconds, end_seconds
                                 and its embedding
  files.csv, files.parquet       each file: the mean over its windows
  recordings.json                the encoder and its digest, and the file of
                                 arrays (.npz) of each recording
  rejects.csv                    files that cannot be used, with reasons
The last window of a file ends with it; a file shorter than a window is
repeated. Files are known by their content: what is moved is not embedded anew.

Of shards it holds
  <shard>.npz      embeddings of one shard's clips: `clips` (N, d), `windows`
                   (W, d) with the clip of each in `window_clip`, `clip_ids`,
                   `labels` (multi-hot), `class_names`
  clips.csv        every clip: its split, file, row in it, and labels
  embeddings.json  the encoder and its digest, d, classes, files of each split
--runner=DataflowRunner (FlinkRunner, SparkRunner, ...) and --beam_options are
those of data/write_shards.py: many machines make the same files.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.jobs import beam_runner
from data.jobs.decoder_pool import DecoderPool
from data.jobs.decoding_jobs import DecodingJobs
from data.run import entry_point, flag_fields, run_directory
from data.run.encoder_files import model_file
from evaluate.embeddings import encoder_runs
from evaluate.embeddings.embed_config import EmbedConfig
from evaluate.recordings import sound_inputs


def main() -> None:
    config = flag_fields.read(EmbedConfig)
    if config.input:
        _embed_recordings(config)
    else:
        _embed_shards(config)


def _embed_recordings(config: EmbedConfig) -> None:
    root, found = sound_inputs.find(config.input)
    model_file(config.encoder)
    # Its processes are to be started without TensorFlow.
    with DecoderPool(config.workers, config.item_timeout_seconds) as pool:
        from evaluate.embeddings.encoders import load_encoders
        from evaluate.recordings import embedded_recordings, recording_job

        [encoder] = load_encoders([config.encoder])
        hop = recording_job.hop_samples(encoder.model, config.hop_seconds)
        folder = _start(config, encoder_runs.EMBED_RECORDINGS, encoder)
        recordings, windows = embedded_recordings.make(
            encoder,
            hop,
            root,
            found,
            folder,
            DecodingJobs(pool),
            config.tables,
            config.max_bad_fraction,
        )
    index = folder / embedded_recordings.INDEX_FILE
    print(f"{windows} windows of {recordings} recordings, described in {index}")


def _embed_shards(config: EmbedConfig) -> None:
    runner = beam_runner.choose(config)
    info = encoder_runs.open_shards([config.encoder], config.shards)
    splits = info.any_splits(config.splits)

    from evaluate.embeddings import embedding_folder
    from evaluate.embeddings.encoders import load_encoders

    [encoder] = load_encoders([config.encoder], info)
    folder = _start(config, encoder_runs.EMBED_SHARDS, encoder)
    accounts = embedding_folder.make(encoder, info, splits, folder, runner)
    clips = sum(account["clips"] for account in accounts)
    index = folder / embedding_folder.INDEX_FILE
    print(f"{clips} clips in {len(accounts)} files, described in {index}")


def _start(config: EmbedConfig, stage: str, encoder) -> pathlib.Path:
    inputs = {"encoder": encoder.identity}
    return run_directory.start(
        config.output, stage, config, inputs, keep_files=True
    )


if __name__ == "__main__":
    flag_fields.define(EmbedConfig)
    entry_point.run(main)
