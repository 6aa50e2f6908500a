"""--source=esc: ESC-50 and ESC-10, by their table of folds.

Piczak, "ESC: Dataset for Environmental Sound Classification", 2015.
"""

import os
from collections.abc import Sequence

from data.run import csv_table
from data.run.csv_table import CsvTable, printable
from data.run.errors import UserError
from data.sources import label_table, manifest, recording_files
from data.sources.label_table import LabelRow, LabelTable
from data.sources.manifest import EVAL, TRAIN, Manifest

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
    found, others = recording_files.find_recordings(folder)
    cells = csv_table.read(_table_file(folder))
    for column in _COLUMNS:
        cells.require(column, "is it the table of ESC-50?")
    if esc10_only:
        cells.require("esc10", "leave out --esc10_only")
    rows = [
        row
        for row in cells.rows(*_COLUMNS, "esc10")
        if not esc10_only or _is_esc10(cells, row[0], row[-1])
    ]
    class_names = label_table.names_by_number(
        ((line, target, category) for line, _, _, target, category, _ in rows),
        cells.name,
    )
    held_out = None
    if eval_folds:
        folds = {fold for _, _, fold, *_ in rows}
        held_out = manifest.held_out(folds, eval_folds, cells.name)
    table = LabelTable(
        cells.name,
        tuple(
            _label_row(cells, line, name, fold, category, held_out)
            for line, name, fold, _, category, _ in rows
        ),
    )
    counts = {"files_of_other_types": others}
    of_table = manifest.of_rows(found, [table], class_names, cells.name, counts)
    manifest.check_held_out(of_table.recordings, eval_folds, folder)
    return of_table


def _table_file(folder: str) -> str:
    for name in _TABLES:
        file = os.path.join(folder, name)
        if os.path.exists(file):
            return file
    raise UserError(
        f"--input={folder} has neither {' nor '.join(_TABLES)}: name the "
        "folder that holds audio/ and the table"
    )


def _is_esc10(cells: CsvTable, line: int, cell: str) -> bool:
    # Spreadsheets write capitals.
    if cell.lower() not in ("true", "false"):
        raise UserError(
            f"{cells.name}, line {line}: esc10 is {printable(cell)!r}: True or "
            "False is wanted"
        )
    return cell.lower() == "true"


def _label_row(
    cells: CsvTable,
    line: int,
    name: str,
    fold: str,
    category: str,
    held_out: frozenset[str] | None,
) -> LabelRow:
    if not name:
        raise UserError(f"{cells.name}, line {line}: 'filename' is empty")
    if not (fold.isascii() and fold.isdigit()):
        raise UserError(
            f"{cells.name}, line {line}: the fold of {printable(name)} is "
            f"{printable(fold)!r}: a whole number is wanted"
        )
    split = f"fold{fold}"
    if held_out is not None:
        split = EVAL if fold in held_out else TRAIN
    return LabelRow(line, f"audio/{name}", (category,), split)
