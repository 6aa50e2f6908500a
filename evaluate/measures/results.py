"""Result records, and the tables that are printed."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from data.run.csv_table import on_one_line
from evaluate.measures.rows import Row

AP, AUC, D_PRIME, CLIPS = "AP", "AUC", "d_prime", "clips"
MAP, ACCURACY = "mAP", "accuracy"
RANKING_MAP, PRECISION = "ranking_mAP", "precision_at_k"
# In the order of the tables.
FIGURES = (MAP, AUC, D_PRIME, ACCURACY, RANKING_MAP, PRECISION)
INTERVALS, CHANCE = "intervals", "chance"
CLASSIFIER, FRACTION, HEARD = "classifier", "label_fraction", "heard"


def result(
    row: Row,
    figures: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    per_class: Mapping[str, Mapping[str, float | tuple[float, float]]],
    **facts: object,
) -> dict:
    """The record of one row.

    Args:
      figures: the overall ones; mAP is a mean over classes that have an AP.
      intervals: of some of them, 95 %.
      per_class: AP, AUC, d-prime, clips and `AP_interval` of each class.
      **facts: how they were measured.

    Returns:
      {name, kind, encoder, identity, facts, figures, intervals, per_class},
      and `heard`, splits measured that the encoder was pretrained on, if any.
      JSON has neither NaN nor infinity: both are None.
    """
    return {
        "name": row.name,
        "kind": row.kind,
        "encoder": row.encoder,
        "identity": row.identity,
        **({HEARD: row.heard} if row.heard else {}),
        **facts,
        **_finite(figures),
        INTERVALS: _finite(intervals),
        "per_class": _finite(per_class),
    }


def classes_left_out(record: dict) -> list[str]:
    """Names of the classes that have no average precision."""
    figures = record["per_class"].items()
    return [name for name, of_class in figures if of_class[AP] is None]


def results_table(results: Sequence[dict]) -> str:
    """The overall figures of `results`, one line each, mAP with interval."""
    measures = [key for key in FIGURES if key in results[0]]
    facts = [
        key
        for key in (CLASSIFIER, FRACTION)
        # A fraction is told where there are several.
        if len({row.get(key) for row in results}) > (key == FRACTION)
        and key in results[0]
    ]
    chances = [f"chance of {k}" for k in results[0].get(CHANCE, {})]
    header = ["representation", "kind", *facts, *measures, *chances]
    return format_table(
        header,
        [
            [
                row["name"],
                row["kind"],
                *(str(row[key]) for key in facts),
                *(
                    shown(row.get(key), row.get(INTERVALS, {}).get(key))
                    for key in measures
                ),
                *(shown(value) for value in row.get(CHANCE, {}).values()),
            ]
            for row in results
        ],
        right=[*measures, *chances],
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


def shown(
    value: float | None, interval: Sequence[float | None] | None = None
) -> str:
    """A figure with three decimals, and its interval in brackets."""
    if value is None:
        return "-"
    if not interval or None in interval:
        return f"{value:.3f}"
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _finite(value: object) -> object:
    """The same with None for what is not finite, and Python's own numbers."""
    if isinstance(value, Mapping):
        return {key: _finite(of_key) for key, of_key in value.items()}
    if isinstance(value, tuple | list):
        return [_finite(item) for item in value]
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if math.isfinite(value) else None
