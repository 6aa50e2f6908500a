"""--source=esc: ESC-50 and ESC-10, by their table of folds.

Piczak, "ESC: Dataset for Environmental Sound Classification", 2015.
"""

import os
from collections.abc import Sequence

from data.run import csv_table
from data.run.csv_table import printable
from data.run.errors import UserError
from data.sources import label_table, manifest, recording_files
from data.sources.label_table import LabelRow, LabelTable
from data.sources.manifest import Manifest

_TABLES = ("meta/esc50.csv", "meta.csv")
_COLUMNS = ("filename", "fold", "target", "category")


def read(
    folder: str, eval_folds: Sequence[str] = (), esc10_only: bool = False
) -> Manifest:
    """The recordings of the table, each labeled with its category.

    Args:
      folder: has audio/, and the table as meta/esc50.csv or meta.csv.
      eval_folds: folds that make the split "eval", the others "train"; empty:
        each fold is a split, "fold1" and so on.
      esc10_only: only the rows whose column esc10 is True.

    Returns:
      What was found; classes in the order of their targets.

    Raises:
      UserError: the folder is not of this form, or a row is wrong.
    """
    found = recording_files.find_recordings(folder)
    cells = csv_table.read(_table_file(folder))
    for column in _COLUMNS:
        cells.require(column, "is it the table of ESC-50?")
    rows = list(cells.rows(*_COLUMNS, "esc10"))
    if esc10_only:
        cells.require("esc10", "leave out --esc10_only")
        rows = [row for row in rows if _is_esc10(cells.name, row[0], row[-1])]
    targets = [(line, target, name) for line, _, _, target, name, _ in rows]
    class_names = label_table.names_by_number(targets, cells.name)
    folds = {fold for _, _, fold, *_ in rows}
    split_of = {fold: f"fold{fold}" for fold in folds}
    if eval_folds:
        split_of = manifest.split_of_folds(folds, eval_folds, cells.name)
    labeled = []
    for line, name, fold, _, category, _ in rows:
        where = f"{cells.name}, line {line}"
        if not name:
            raise UserError(f"{where}: 'filename' is empty")
        if not (fold.isascii() and fold.isdigit()):
            raise UserError(
                f"{where}: the fold of {printable(name)} is "
                f"{printable(fold)!r}: a whole number is wanted"
            )
        path = f"audio/{name}"
        labeled.append(LabelRow(line, path, (category,), split_of[fold]))
    table = LabelTable(cells.name, tuple(labeled))
    return manifest.of_rows(found, [table], class_names, cells.name)


def _table_file(folder: str) -> str:
    for name in _TABLES:
        file = os.path.join(folder, name)
        if os.path.exists(file):
            return file
    raise UserError(
        f"--input={folder} has neither {' nor '.join(_TABLES)}: name the "
        "folder that holds audio/ and the table"
    )


def _is_esc10(table: str, line: int, cell: str) -> bool:
    # Spreadsheets write capitals.
    if cell.lower() not in ("true", "false"):
        raise UserError(
            f"{table}, line {line}: esc10 is {printable(cell)!r}: True or "
            "False is wanted"
        )
    return cell.lower() == "true"
