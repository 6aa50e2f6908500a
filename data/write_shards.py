"""Writes shards of clips from recordings, or from synthetic scenes.

  python data/write_shards.py --source=folder --input=FOLDER --output=SHARDS
  python data/write_shards.py --source=synthetic --output=SHARDS

--source=folder takes every WAV, FLAC, OGG and MP3 file of --input, at any
depth; names that start with a dot are passed over. Recordings are mixed down
to mono, resampled, and cut into clips of --clip_seconds; levels are kept.
Labels come from a CSV,

  filename,labels,split            "fold" instead of "split" works too,
  yard/rooster 1.wav,rooster;dog,train          with --eval_folds=4
  rain.ogg,rain,eval

or, without --labels, from the names of the first sub-folders. Files without
a label are kept, unlabeled. Where no CSV gives a split or fold, whole
recordings are drawn for the split "eval".

--source=synthetic makes labeled scenes whose true sources are kept too, and
query.wav, one scene more, to try evaluate/search.py with.

What is written to --output:
  <split>-00000-of-00004.tfrecord  clips, their order shuffled by --seed
  dataset.json                     classes, shards, counts of all kinds
  rejects.csv                      inputs left out: file, kind, reason
  config.json                      these options

A killed job, run again, makes the shards that are missing, with the bytes
that it would have written uninterrupted. A finished one is left as it is.
"""

import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data import entry_point, flag_fields, ingest
from data.dataset_info import DATASET_FILE, DatasetInfo
from data.ingest_config import IngestConfig
from data.progress import duration
from data.rejects import REJECTS_FILE


def main() -> None:
    info = ingest.run(flag_fields.read(IngestConfig))
    print("\n".join(_summary_lines(info)))


def _summary_lines(info: DatasetInfo) -> list[str]:
    summary = info.summary
    lines = [
        f"{split}: {clips} clips, {duration(summary['seconds'][split])}, "
        f"{summary['unlabeled'][split]} unlabeled"
        for split, clips in summary["clips"].items()
    ]
    names = info.class_names
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    lines.append(f"classes: {len(names)}" + (f" ({shown})" if shown else ""))
    notes = {
        "files_without_row": "files without a row in the CSV (unlabeled)",
        "upsampled": "clips upsampled (their highest bands are empty)",
        "downsampled": "clips downsampled",
        "mixed_down": "clips mixed down to mono",
        "clipped_at_full_scale": "clips clipped at full scale",
    }
    for name, text in notes.items():
        if summary.get(name):
            lines.append(f"{text}: {summary[name]}")
    rejected = summary["rejects"]
    if rejected:
        kinds = ", ".join(f"{count} {kind}" for kind, count in rejected.items())
        lines.append(f"left out: {kinds}; see {info.folder / REJECTS_FILE}")
    lines.append(f"shards: {info.folder}, described in {DATASET_FILE}")
    return lines


if __name__ == "__main__":
    flag_fields.define(IngestConfig)
    entry_point.run(main)
