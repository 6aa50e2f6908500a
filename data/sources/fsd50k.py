"""--source=fsd50k: FSD50K, by its ground truth.

Fonseca et al., "FSD50K: an Open Dataset of Human-Labeled Sound Events", 2022.
"""

import os
from collections.abc import Mapping

from data.run import csv_table
from data.run.csv_table import printable
from data.run.errors import UserError
from data.sources import label_table, manifest, recording_files
from data.sources.label_table import LabelRow, LabelTable
from data.sources.manifest import EVAL, Manifest

_TRUTH = "FSD50K.ground_truth"
_DEV_SPLITS = ("train", "val")


def read(folder: str) -> Manifest:
    """The recordings of dev.csv and eval.csv, with the vocabulary's classes.

    Args:
      folder: has FSD50K.dev_audio/, FSD50K.eval_audio/ and
        FSD50K.ground_truth/ with dev.csv, eval.csv and vocabulary.csv. A
        recording may be of any format; its name is the row's fname.

    Returns:
      What was found, in the splits train, val and eval.

    Raises:
      UserError: the folder is not of this form, or a row is wrong.
    """
    found = recording_files.find_recordings(folder)
    # Of files of one name those that are named like sounds.
    path_of = {
        os.path.splitext(r.path)[0]: r.path
        for r in sorted(found, key=lambda r: r.is_like_sound)
    }
    file = os.path.join(folder, _TRUTH, "vocabulary.csv")
    vocabulary = csv_table.read(file, columns=("index", "label", "mid"))
    numbers = vocabulary.rows("index", "label")
    class_names = label_table.names_by_number(numbers, vocabulary.name)
    tables = [_read_truth(folder, name, path_of) for name in ("dev", "eval")]
    return manifest.of_rows(found, tables, class_names, vocabulary.name)


def _read_truth(
    folder: str, part: str, path_of: Mapping[str, str]
) -> LabelTable:
    """Rows of dev.csv or eval.csv, each with the path of its file."""
    cells = csv_table.read(os.path.join(folder, _TRUTH, f"{part}.csv"))
    columns = ["fname", "labels"] + ["split"] * (part == "dev")
    for column in columns:
        cells.require(column, "is it the table of FSD50K?")
    rows = []
    for line, name, labels, split in cells.rows("fname", "labels", "split"):
        where = f"{cells.name}, line {line}"
        if not name:
            raise UserError(f"{where}: 'fname' is empty")
        if part == "dev" and split not in _DEV_SPLITS:
            raise UserError(
                f"{where}: the split of {printable(name)} is "
                f"{printable(split)!r}: {' or '.join(_DEV_SPLITS)} is wanted"
            )
        path = f"FSD50K.{part}_audio/{name}"
        path = path_of.get(path, f"{path}.wav")
        labels = label_table.split_labels(labels, ",")
        split = split if part == "dev" else EVAL
        rows.append(LabelRow(line, path, labels, split))
    return LabelTable(cells.name, tuple(rows))
