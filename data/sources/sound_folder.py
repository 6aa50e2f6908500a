"""--source=folder: recordings, with labels from a CSV or from folder names."""

import dataclasses
from collections.abc import Callable, Sequence

from data.run.csv_table import printable
from data.run.errors import UserError
from data.run.rejects import Reject
from data.sources import label_table, manifest, recording_files
from data.sources.label_table import LabelRow, LabelTable
from data.sources.manifest import EVAL, TRAIN, Manifest


def read(
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
    found, others = recording_files.find_recordings(folder)
    counts = {"files_of_other_types": others}
    missing: list[Reject] = []
    if table is None:
        recordings = [
            dataclasses.replace(r, labels=_folder_label(r.path)) for r in found
        ]
    else:
        row_of, missing = manifest.match(found, table)
        split_of = _split_rule(table, eval_folds)
        counts["files_without_row"] = len(found) - len(row_of)
        recordings = []
        for recording in found:
            row = row_of.get(recording.path)
            recordings.append(
                dataclasses.replace(
                    recording,
                    labels=row.labels if row else (),
                    split=split_of(row),
                )
            )
        manifest.check_held_out(recordings, eval_folds, folder)
    kept, rejects = tuple(recordings), ()
    if classes:
        kept, rejects = manifest.refuse_unknown(kept, classes, "--classes")
    return Manifest(kept, tuple(classes), rejects, tuple(missing), counts)


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
            f"{label_table.FOLD_COLUMN!r}, which {table.name} has not"
        )
    if table.has_fold and (eval_folds or not table.has_split):
        folds = {row.fold for row in table.rows}
        held_out = manifest.held_out(folds, eval_folds, table.name)
        return lambda row: EVAL if row and row.fold in held_out else TRAIN
    if table.has_split:
        return lambda row: row.split if row else TRAIN
    return lambda row: ""
