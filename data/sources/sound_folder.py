"""--source=folder: recordings, with labels from a CSV or from folder names."""

import dataclasses
import re
from collections.abc import Sequence

from absl import logging

from data.run import csv_table
from data.run.csv_table import printable
from data.run.errors import UserError
from data.sources import label_table, manifest, recording_files
from data.sources.label_table import LABEL_SEPARATOR, LabelRow, LabelTable
from data.sources.manifest import TRAIN, Manifest

_SPLIT_COLUMN, _FOLD_COLUMN = "split", "fold"
_SPLIT_NAME = re.compile(r"[A-Za-z0-9_]+")


def read(
    folder: str,
    labels: str = "",
    filename_column: str = "filename",
    label_column: str = "labels",
    eval_folds: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Manifest:
    """Finds the files of a folder that may be recordings, at any depth.

    Names that start with "." are left out: they are what systems write.
    Without a table, the first sub-folder of the path is the label. Without a
    row in the table a file is kept, unlabeled (our choice), in the split
    "train" where the table has splits.

    Args:
      folder: where to look; links to folders are followed.
      labels: the table, a CSV; empty: none. A row names a file by its path
        in the folder or by its bare name; with an empty label cell the file
        is unlabeled.
      filename_column: of the files' names.
      label_column: of the labels, several joined by ;.
      eval_folds: folds that make the split "eval", the others "train". When
        empty, a `split` column decides, else the last fold is "eval".
      classes: the known labels; empty: all are.

    Raises:
      UserError: the folder is missing or has no file, the table cannot be
        read, a column or fold is missing, a row is wrong, with its line, a
        row names two files, two rows name one, or no row matches.
    """
    if not labels:
        found = recording_files.find_recordings(folder)
        labeled = [
            dataclasses.replace(r, labels=_folder_label(r.path)) for r in found
        ]
        names = {label for r in labeled for label in r.labels}
        if len(names) == 1 and not classes:
            logging.warning(
                "%s has one sub-folder with recordings, %s, so that is the "
                "only class. If it is no label, name a CSV with --labels, or "
                "that sub-folder as --input; --source reads ESC, FSD50K and "
                "AudioSet as published.",
                folder,
                *names,
            )
        kept, rejects = manifest.refuse_unknown(labeled, classes, "--classes")
        return Manifest(kept, tuple(classes), rejects)
    table = _read_labels(labels, filename_column, label_column, eval_folds)
    found = recording_files.find_recordings(folder)
    rest = LabelRow(0, "", (), TRAIN if table.rows[0].split else "")
    return manifest.of_rows(found, [table], tuple(classes), "--classes", rest)


def _read_labels(
    file: str,
    filename_column: str,
    label_column: str,
    eval_folds: Sequence[str],
) -> LabelTable:
    cells = csv_table.read(file, "--labels")
    for column, flag in (
        (filename_column, "--filename_column"),
        (label_column, "--label_column"),
    ):
        cells.require(column, f"name the right one with {flag}")
    has_split = _SPLIT_COLUMN in cells.columns
    has_fold = _FOLD_COLUMN in cells.columns
    if eval_folds and not has_fold:
        raise UserError(
            f"--eval_folds={','.join(eval_folds)} needs a column "
            f"{_FOLD_COLUMN!r}, which {cells.name} has not"
        )
    by_fold = has_fold and (eval_folds or not has_split)
    rows = []
    for line, name, labels, split, fold in cells.rows(
        filename_column, label_column, _SPLIT_COLUMN, _FOLD_COLUMN
    ):
        where = f"{cells.name}, line {line}"
        if not name:
            raise UserError(f"{where}: {filename_column!r} is empty")
        if has_split and not _SPLIT_NAME.fullmatch(split):
            raise UserError(
                f"{where}: the split of {printable(name)} is {split!r}; use "
                "letters, digits and _, e.g. train or eval"
            )
        if has_fold and not fold:
            raise UserError(f"{where}: the fold of {printable(name)} is empty")
        if printable(labels) != labels:
            raise UserError(
                f"{where}: the labels {printable(labels)!r} are not UTF-8: "
                "save the table as UTF-8"
            )
        labels = label_table.split_labels(labels, LABEL_SEPARATOR)
        rows.append(LabelRow(line, name, labels, fold if by_fold else split))
    table = LabelTable(cells.name, tuple(rows))
    if not any(row.labels for row in rows):
        raise UserError(
            f"{table.name}: column {label_column!r} is empty in all "
            f"{len(rows)} rows; name another with --label_column, or leave "
            "out --labels"
        )
    if not by_fold:
        return table
    folds = {row.split for row in rows}
    split_of = manifest.split_of_folds(folds, eval_folds, table.name)
    rows = (dataclasses.replace(row, split=split_of[row.split]) for row in rows)
    return LabelTable(table.name, tuple(rows))


def _folder_label(path: str) -> tuple[str, ...]:
    first, *rest = path.split("/")
    return (printable(first),) if rest else ()
