"""Which recordings there are, with their labels and splits."""

import collections
import dataclasses
import difflib
import unicodedata
from collections.abc import Callable, Sequence

from data import label_table
from data.label_table import LabelRow, LabelTable, printable
from data.recording_files import Recording, find_recordings
from data.rejects import Reject
from data.user_error import UserError

TRAIN, EVAL, UNLABELED = "train", "eval", "unlabeled"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What was found.

    Attributes:
      recordings: ascending by path.
      rejects: recordings left out.
      missing: rows of the label table whose file is not there.
      counts: "files_without_row", "files_of_other_types".
    """

    recordings: tuple[Recording, ...]
    rejects: tuple[Reject, ...] = ()
    missing: tuple[Reject, ...] = ()
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


def read_folder(
    folder: str,
    table: LabelTable | None = None,
    eval_folds: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Manifest:
    """Finds the recordings of a folder, at any depth.

    Names that start with "." are left out: they are what systems write.
    Without a table, the first sub-folder of the path is the label. Without a
    row in the table a file is kept, unlabeled (our choice).

    Args:
      folder: where to look; links to folders are followed.
      table: labels, and where it has them splits or folds; a row names a
        file by its path in the folder or by its bare name.
      eval_folds: folds that make the split "eval", the others "train". When
        empty, a `split` column decides, else the last fold is "eval".
      classes: the known labels; empty: all are.

    Raises:
      UserError: the folder is missing or has no audio, a row names two
        files, two rows name one, no row matches, or a fold is unknown.
    """
    found, other = find_recordings(folder)
    counts = {"files_of_other_types": other}
    missing: list[Reject] = []
    if table is None:
        labelled = [
            dataclasses.replace(r, labels=_folder_label(r.path)) for r in found
        ]
    else:
        row_of, missing = _match(found, table)
        split_of = _split_rule(table, eval_folds)
        counts["files_without_row"] = len(found) - len(row_of)
        labelled = []
        for recording in found:
            row = row_of.get(recording.path)
            labelled.append(
                dataclasses.replace(
                    recording,
                    labels=row.labels if row else (),
                    split=split_of(row),
                )
            )
        if eval_folds and not any(r.split == EVAL for r in labelled):
            raise UserError(
                f"--eval_folds={','.join(eval_folds)}: --input={folder} has no "
                "file of these folds, so the split eval would be empty"
            )
    kept, rejects = [], []
    for recording in labelled:
        reason = _unknown_label(recording.labels, classes) if classes else None
        if reason:
            rejects.append((recording.name, "unknown_label", reason))
        else:
            kept.append(recording)
    return Manifest(tuple(kept), tuple(rejects), tuple(missing), counts)


def _match(
    found: Sequence[Recording], table: LabelTable
) -> tuple[dict[str, LabelRow], list[Reject]]:
    """The row of each path that has one, and the rows without a file."""
    by_path = {_key(r.path): r for r in found}
    by_name = collections.defaultdict(list)
    for recording in found:
        by_name[_key(recording.path.split("/")[-1])].append(recording)
    row_of: dict[str, LabelRow] = {}
    missing: list[Reject] = []
    for row in table.rows:
        where = f"--labels={table.file}, line {row.line}"
        name = printable(row.filename)
        key = _key(row.filename)
        hits = [by_path[key]] if key in by_path else by_name.get(key, [])
        if len(hits) > 1:
            raise UserError(
                f"{where}: {name} is {len(hits)} files, {hits[0].name} and "
                f"{hits[1].name}: give the path inside --input"
            )
        if not hits:
            reason = f"line {row.line} of {table.file} names it: no such file"
            missing.append((name, "no_such_file", reason))
            continue
        earlier = row_of.setdefault(hits[0].path, row)
        if earlier is not row:
            raise UserError(
                f"{where}: {name} is already in line {earlier.line}: keep one "
                f"row a file, labels joined by {label_table.LABEL_SEPARATOR!r}"
            )
    if not row_of:
        raise UserError(
            f"--labels={table.file}: no row matches a file; line "
            f"{table.rows[0].line} names {printable(table.rows[0].filename)}, "
            f"the folder has e.g. {found[0].name}"
        )
    return row_of, missing


def _key(path: str) -> str:
    """Paths as tables write them and systems store them, made comparable."""
    # Some systems store letters and accents apart, tables mostly do not.
    path = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return path.removeprefix("./")


def _folder_label(path: str) -> tuple[str, ...]:
    first, *rest = path.split("/")
    return (printable(first),) if rest else ()


def _split_rule(
    table: LabelTable, eval_folds: Sequence[str]
) -> Callable[[LabelRow | None], str]:
    """The split of a row; None stands for a file without one."""
    if eval_folds and not table.has_fold:
        raise UserError(
            f"--eval_folds={','.join(eval_folds)} needs a column "
            f"{label_table.FOLD_COLUMN!r}, which --labels={table.file} has not"
        )
    if table.has_fold and (eval_folds or not table.has_split):
        folds = {row.fold for row in table.rows}
        ordered = sorted(folds, key=lambda fold: (len(fold), fold))
        unknown = [fold for fold in eval_folds if fold not in folds]
        if unknown:
            raise UserError(
                f"--eval_folds: no row of --labels={table.file} has fold "
                f"{unknown[0]}; its folds are {', '.join(ordered)}"
            )
        held_out = set(eval_folds or ordered[-1:])
        return lambda row: EVAL if row and row.fold in held_out else TRAIN
    if table.has_split:
        return lambda row: row.split if row else TRAIN
    return lambda row: ""


def _unknown_label(labels: Sequence[str], classes: Sequence[str]) -> str | None:
    for label in labels:
        if label not in classes:
            near = difflib.get_close_matches(label, classes, 3, 0.5)
            near = near or sorted(classes)[:3]
            return (
                f"label {label!r} is not in --classes: did you mean "
                + " or ".join(near)
                + "?"
            )
    return None
