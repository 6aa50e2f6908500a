"""Which recordings there are, with their labels and splits."""

import collections
import dataclasses
import difflib
import unicodedata
from collections.abc import Collection, Sequence

from data.run.csv_table import printable
from data.run.errors import UserError
from data.run.rejects import Reject
from data.sources import recording_files
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
      others: files that nobody took for sound and no row names.
      counts: for the summary, e.g. "files_unused".
    """

    recordings: tuple[Recording, ...]
    class_names: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()
    missing: tuple[Reject, ...] = ()
    others: tuple[str, ...] = ()
    counts: dict[str, int] = dataclasses.field(default_factory=dict)


def of_rows(
    found: Sequence[Recording],
    tables: Sequence[LabelTable],
    class_names: tuple[str, ...],
    classes_from: str,
    rest: LabelRow | None = None,
) -> Manifest:
    """The recordings that rows name, with the rows' labels and splits.

    Args:
      found: the files there are.
      tables: of different files.
      class_names: the known labels, in order; empty: all are.
      classes_from: what knows them, for messages.
      rest: the row of files without one, whatever they are; None: they are
        left out.

    Raises:
      UserError: a row names two files, two rows name one, or no row matches.
    """
    row_of: dict[str, LabelRow] = {}
    missing: list[Reject] = []
    for table in tables:
        of_table, missing_of_table = _match(found, table)
        row_of |= of_table
        missing += missing_of_table
    labeled = [
        dataclasses.replace(
            recording,
            labels=row.labels,
            split=row.split,
            is_named=row is not rest,
        )
        for recording in found
        if (row := row_of.get(recording.path, rest))
    ]
    kept, rejects = refuse_unknown(labeled, class_names, classes_from)
    counts, others = {}, ()
    if not rest:
        unused, others = recording_files.not_asked_for(found, row_of)
        counts = {"files_unused": unused}
    return Manifest(kept, class_names, rejects, tuple(missing), others, counts)


def _match(
    found: Sequence[Recording], table: LabelTable
) -> tuple[dict[str, LabelRow], list[Reject]]:
    """The row of each path that has one, and the rows without a file.

    A row names a file by its path in the folder or by its bare name.
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


def split_of_folds(
    folds: Collection[str], eval_folds: Sequence[str], table: str
) -> dict[str, str]:
    """The split of each fold: "eval" of those named, by default of the last.

    Raises:
      UserError: a fold that is named is not among those of the table.
    """
    ordered = sorted(set(folds), key=lambda fold: (len(fold), fold))
    for fold in eval_folds:
        if fold not in ordered:
            raise UserError(
                f"--eval_folds: no row of {table} has fold {fold}; its "
                f"folds are {', '.join(ordered)}"
            )
    held_out = eval_folds or ordered[-1:]
    return {fold: EVAL if fold in held_out else TRAIN for fold in ordered}


def refuse_unknown(
    recordings: Sequence[Recording], classes: Sequence[str], known_from: str
) -> tuple[tuple[Recording, ...], tuple[Reject, ...]]:
    """Splits recordings into those of known classes and the rejects.

    Args:
      recordings: to be split.
      classes: that are known; empty: all are.
      known_from: what knows them, for messages.
    """
    kept, rejects = [], []
    known = frozenset(classes)
    for recording in recordings:
        unknown = [label for label in recording.labels if label not in known]
        if known and unknown:
            near = difflib.get_close_matches(unknown[0], classes, 3, 0.5)
            reason = (
                f"label {unknown[0]!r} is not in {known_from}: did you mean "
                f"{' or '.join(near or sorted(classes)[:3])}?"
            )
            rejects.append((recording.name, "unknown_label", reason))
        else:
            kept.append(recording)
    return tuple(kept), tuple(rejects)
