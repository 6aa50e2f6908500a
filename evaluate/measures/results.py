"""Result records, and the tables that are printed."""

import math
from collections.abc import Sequence

import numpy as np

from data.run.csv_table import on_one_line
from evaluate.embeddings.encoders import Representation
from models.metrics.average_precision import mean_over_classes
from models.metrics.roc import d_prime

AP, AUC, D_PRIME, CLIPS = "AP", "AUC", "d_prime", "clips"


def result(
    representation: Representation,
    class_names: Sequence[str],
    clips: np.ndarray,
    ap: np.ndarray,
    auc: np.ndarray | None = None,
) -> dict:
    """The record of one representation.

    Args:
      clips: (C,) clips of each class among those evaluated.
      ap: (C,) average precision; NaN is left out of the mean.
      auc: (C,) area under the ROC curve, where it was measured.

    Returns:
      {name, kind, encoder, identity, mAP, AUC, d_prime, per_class: {class:
      {AP, AUC, d_prime, clips}}}, without AUC and d_prime when `auc` is None.
      The d-prime is that of the mean AUC. JSON has neither NaN nor infinity:
      both are None.
    """
    overall, columns = {"mAP": mean_over_classes(ap)}, {AP: ap}
    if auc is not None:
        mean_auc = mean_over_classes(auc)
        overall |= {AUC: mean_auc, D_PRIME: d_prime(mean_auc)}
        columns |= {AUC: auc, D_PRIME: d_prime(auc)}
    return {
        "name": representation.name,
        "kind": representation.kind,
        "encoder": representation.encoder,
        "identity": representation.identity,
        **{key: _finite(value) for key, value in overall.items()},
        "per_class": {
            name: {
                **{key: _finite(column[i]) for key, column in columns.items()},
                CLIPS: int(clips[i]),
            }
            for i, name in enumerate(class_names)
        },
    }


def classes_left_out(record: dict) -> list[str]:
    """Names of the classes that have no average precision."""
    figures = record["per_class"].items()
    return [name for name, of_class in figures if of_class[AP] is None]


def results_table(results: Sequence[dict]) -> str:
    """The overall figures of `results`, one line each."""
    measures = [key for key in ("mAP", AUC, D_PRIME) if key in results[0]]
    return format_table(
        ["representation", "kind", *measures],
        [
            [
                row["name"],
                row["kind"],
                *(_shown(row.get(key)) for key in measures),
            ]
            for row in results
        ],
        right=measures,
    )


def format_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str] = (),
) -> str:
    """Text in aligned columns; those named in `right` are right-aligned."""
    lines = [[on_one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def aligned(line):
        cells = (
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(header, line, widths, strict=True)
        )
        return "  ".join(cells).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([aligned(lines[0]), rule, *map(aligned, lines[1:])])


def listed(names: Sequence[str]) -> str:
    """Names on one line."""
    return on_one_line(", ".join(names))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
