"""Writes shards of clips from recordings, or from synthetic scenes.

  python data/write_shards.py --source=folder --input=FOLDER --output=SHARDS
  python data/write_shards.py --source=esc --input=ESC-50 --output=SHARDS
  python data/write_shards.py --source=fsd50k --input=FSD50K --output=SHARDS
  python data/write_shards.py --source=audioset --input=FOLDER \\
      --output=SHARDS --class_labels=class_labels_indices.csv \\
      --segments=balanced_train_segments.csv,eval_segments.csv
  python data/write_shards.py --source=synthetic --output=SHARDS

--source=folder takes every file of --input that has sound, at any depth, in
any container that FFmpeg reads, whatever it is called; names that start with a
dot are passed over, and files that are no recordings are counted by suffix.
They are bad input where the suffix is one of sounds, or a table names them.
Recordings are mixed down to mono, resampled, and cut into clips of
--clip_seconds; levels are kept. Labels come from a CSV,

  filename,labels,split            "fold" instead of "split" works too,
  yard/rooster 1.wav,rooster;dog,train          with --eval_folds=4
  rain.ogg,rain,eval

or, without --labels, from the names of the first sub-folders. Files without
a label are kept, unlabeled. Where no CSV gives a split or fold, whole
recordings are drawn for the split "eval".

The published datasets give labels, classes and splits by their own tables;
files that no row names are left out, as are rows whose file is missing.

--source=esc: --input has audio/, and meta/esc50.csv or meta.csv. Each fold is
a split, fold1 to fold5, so that later stages can be given any of them; with
--eval_folds they are train and eval. --esc10_only keeps ESC-10.

--source=fsd50k: --input has FSD50K.dev_audio, FSD50K.eval_audio and
FSD50K.ground_truth. The splits are train, val and eval. Clips last up to 30 s:
--clip_seconds=30 keeps them whole.

--source=audioset: --input has the sound that you fetched, at any depth, with
the video's id, start and end as a name:

  ID.m4a  YID.webm  ID_30.wav  ID_30.000.flac  ID_30000.aac ID_30.000_40.000.mp3

Times without a point are seconds or milliseconds, whichever the tables have.
A file without a start in its name is the segment alone if it is no longer than
that, and the whole video if it reaches the segment's end, both to 0.5 s; any
other length is refused. Sound after the segment's end is not used. Segments of
a table with "eval" in its name are the split eval, the others train. Videos
vanish: segments without sound are listed as "missing", and do not count as
bad. The published embeddings (.tfrecord) hold no sound and are refused.

--source=synthetic makes labeled scenes whose true sources are kept too, and
query.wav, one scene more, to try evaluate/search.py with.

What is written to --output:
  <split>-00000-of-00004.tfrecord  clips, their order shuffled by --seed
  dataset.json                     classes, shards, counts of all kinds
  rejects.csv                      inputs left out, or used in part: file,
                                   kind, reason
  recordings.csv                   those used, with the SHA-256 of each
  config.json                      these options

A killed job, run again, makes the shards that are missing, with the bytes
that it would have written uninterrupted. A finished one looks into the
recordings again, and makes the shards anew that depend on what has changed in
them, in labels or in splits. Sizes, dates and where folders lie do not count.
Files are decoded in processes of their own: one that crashes its decoder, or
takes longer than --item_timeout_seconds, is listed like other bad inputs.

--runner=DataflowRunner (FlinkRunner, SparkRunner, ...) makes the shards with
Apache Beam, told more with --beam_options, and with the same bytes. Workers
must see --input and --output as folders, under the same absolute paths, and
must be able to import this project; bad inputs are counted at the end.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.ingest import ingest_job
from data.ingest.ingest_config import IngestConfig
from data.jobs.progress import duration
from data.run import entry_point, flag_fields
from data.run.csv_table import on_one_line
from data.run.rejects import REJECTS_FILE
from data.shards.dataset_info import DATASET_FILE

# Of what is counted in `dataset.json`.
_NOTES = {
    "files_without_row": "files without a row in the CSV (unlabeled)",
    "files_unused": "files that no row asks for (not used)",
    "repeated_rows": "rows for a segment that has one (joined)",
    "upsampled": "clips upsampled (their highest bands are empty)",
    "downsampled": "clips downsampled",
    "mixed_down": "clips mixed down to mono",
    "rescaled": "clips of floats on the scale of integers (scaled to 1)",
    "of_unknown_length": "recordings whose header has no true length (read to "
    "the end of the file)",
    "clipped_at_full_scale": "clips clipped at full scale",
}


def main() -> None:
    info = ingest_job.run(flag_fields.read(IngestConfig))
    summary, names = info.summary, info.class_names
    for split, clips in summary.get("clips", {}).items():
        length = duration(summary.get("seconds", {}).get(split, 0))
        unlabeled = summary.get("unlabeled", {}).get(split, 0)
        print(f"{split}: {clips} clips, {length}, {unlabeled} unlabeled")
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    shown = f" ({on_one_line(shown)})" if shown else ""
    print(f"classes: {len(names)}{shown}")
    for name, text in _NOTES.items():
        if summary.get(name):
            print(f"{text}: {summary[name]}")
    if rejected := summary.get("rejects"):
        kinds = ", ".join(f"{count} {kind}" for kind, count in rejected.items())
        print(f"left out: {kinds}; see {info.folder / REJECTS_FILE}")
    if in_part := summary["in_part"]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in in_part.items())
        print(f"used in part: {kinds}; see {info.folder / REJECTS_FILE}")
    if others := summary["other_files"]:
        kinds = [f"{count} {name}" for name, count in others.items()]
        more = ", ..." if len(kinds) > 8 else ""
        print(f"files that are no recordings: {', '.join(kinds[:8])}{more}")
    print(f"shards: {info.folder}, described in {DATASET_FILE}")


if __name__ == "__main__":
    flag_fields.define(IngestConfig)
    entry_point.run(main)
