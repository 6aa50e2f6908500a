"""Which recordings there are, with their labels and splits."""

import collections
import dataclasses
import difflib
import unicodedata
from collections.abc import Collection, Sequence

from data.run.csv_table import printable
from data.run.errors import UserError
from data.run.rejects import Reject
from data.sources.label_table import LabelRow, LabelTable
from data.sources.recording_files import Recording

TRAIN, EVAL, UNLABELED = "train", "eval", "unlabeled"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a source found.

    Attributes:
      recordings: ascending by path.
      class_names: in order; empty: the labels found, sorted.
      rejects: recordings left out.
      missing: rows of a table whose sound is not there.
      counts: for the summary, e.g. "files_of_other_types".
    """

    recordings: tuple[Recording, ...]
    class_names: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()
    missing: tuple[Reject, ...] = ()
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


def of_rows(
    found: Sequence[Recording],
    tables: Sequence[LabelTable],
    class_names: tuple[str, ...],
    classes_from: str,
    counts: dict[str, int],
) -> Manifest:
    """The recordings that rows name, with the rows' labels and splits.

    Args:
      found: the files there are; those without a row are left out.
      tables: of different files.
      class_names: the known labels, in order.
      classes_from: what knows them, for messages.
      counts: of the manifest; "files_unused" is added.

    Raises:
      UserError: as in `match`.
    """
    row_of: dict[str, LabelRow] = {}
    missing: list[Reject] = []
    for table in tables:
        of_table, missing_of_table = match(found, table)
        row_of |= of_table
        missing += missing_of_table
    recordings = [
        dataclasses.replace(
            recording,
            labels=row_of[recording.path].labels,
            split=row_of[recording.path].split,
        )
        for recording in found
        if recording.path in row_of
    ]
    kept, rejects = refuse_unknown(recordings, class_names, classes_from)
    unused = len(found) - len(row_of)
    return Manifest(
        kept,
        class_names,
        rejects,
        tuple(missing),
        {**counts, "files_unused": unused},
    )


def match(
    found: Sequence[Recording], table: LabelTable
) -> tuple[dict[str, LabelRow], list[Reject]]:
    """The row of each path that has one, and the rows without a file.

    A row names a file by its path in the folder or by its bare name.

    Raises:
      UserError: a row names two files, two rows name one, or no row matches.
    """
    by_path = {_key(r.path): r for r in found}
    by_name = collections.defaultdict(list)
    for recording in found:
        by_name[_key(recording.path.split("/")[-1])].append(recording)
    row_of: dict[str, LabelRow] = {}
    missing: list[Reject] = []
    for row in table.rows:
        where = f"{table.name}, line {row.line}"
        name = printable(row.filename)
        key = _key(row.filename)
        hits = [by_path[key]] if key in by_path else by_name.get(key, [])
        if len(hits) > 1:
            raise UserError(
                f"{where}: {name} is {len(hits)} files, {hits[0].name} and "
                f"{hits[1].name}: give the path inside --input"
            )
        if not hits:
            reason = f"line {row.line} of {table.name} names it: no such file"
            missing.append((name, "no_such_file", reason))
            continue
        earlier = row_of.setdefault(hits[0].path, row)
        if earlier is not row:
            raise UserError(
                f"{where}: {name} is already in line {earlier.line}: keep one "
                "row a file, with all its labels"
            )
    if not row_of:
        raise UserError(
            f"{table.name}: no row matches a file; line {table.rows[0].line} "
            f"names {printable(table.rows[0].filename)}, the folder has e.g. "
            f"{found[0].name}"
        )
    return row_of, missing


def _key(path: str) -> str:
    """Paths as tables write them and systems store them, made comparable."""
    # Some systems store letters and accents apart, tables mostly do not.
    path = unicodedata.normalize("NFC", path.replace("\\", "/"))
    return path.removeprefix("./")


def held_out(
    folds: Collection[str], eval_folds: Sequence[str], table: str
) -> frozenset[str]:
    """The folds that make the split "eval"; by default the last one.

    Args:
      folds: those there are.
      eval_folds: those named.
      table: that has the folds, for messages.

    Raises:
      UserError: a fold that is named is not there.
    """
    ordered = sorted(set(folds), key=lambda fold: (len(fold), fold))
    for fold in eval_folds:
        if fold not in folds:
            raise UserError(
                f"--eval_folds: no row of {table} has fold {fold}; its "
                f"folds are {', '.join(ordered)}"
            )
    return frozenset(eval_folds or ordered[-1:])


def check_held_out(
    recordings: Sequence[Recording], eval_folds: Sequence[str], folder: str
) -> None:
    """Raises `UserError` where the named folds have no file."""
    if eval_folds and not any(r.split == EVAL for r in recordings):
        raise UserError(
            f"--eval_folds={','.join(eval_folds)}: --input={folder} has no "
            "file of these folds, so the split eval would be empty"
        )


def refuse_unknown(
    recordings: Sequence[Recording], classes: Collection[str], known_from: str
) -> tuple[tuple[Recording, ...], tuple[Reject, ...]]:
    """Splits recordings into those of known classes and the rejects."""
    known = frozenset(classes)
    kept, rejects = [], []
    for recording in recordings:
        unknown = [label for label in recording.labels if label not in known]
        if unknown:
            reason = _not_known(unknown[0], classes, known_from)
            rejects.append((recording.name, "unknown_label", reason))
        else:
            kept.append(recording)
    return tuple(kept), tuple(rejects)


def _not_known(label: str, classes: Collection[str], known_from: str) -> str:
    near = difflib.get_close_matches(label, classes, 3, 0.5)
    near = near or sorted(classes)[:3]
    return (
        f"label {label!r} is not in {known_from}: did you mean "
        + " or ".join(near)
        + "?"
    )
