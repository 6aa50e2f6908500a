"""Tables of numbers for the report."""

import dataclasses
import math
from collections.abc import Sequence

from data.page.html_page import Cell, Row, Table
from evaluate.embeddings.encoders import (
    ENCODER,
    LOG_MEL_STATISTICS,
    UNTRAINED,
)
from evaluate.measures.results import AP, AUC, CLIPS, D_PRIME

_MEASURES = {"mAP": "mAP", AUC: "AUC", D_PRIME: "d′"}
# These run from 0 to 1, so a bar can stand for them.
_SHARES = ("mAP", AUC, AP)
_KINDS = {
    ENCODER: "",
    UNTRAINED: "baseline, random weights",
    LOG_MEL_STATISTICS: "baseline, no network",
}
_SEPARATION_MEASURES = {
    "step": "step",
    "si_sdr_improvement_mixit_db": "MixIT-assigned",
    "si_sdr_improvement_oracle_db": "oracle-matched",
}


def measures_table(caption: str, results: Sequence[dict]) -> Table:
    """One row a representation, of metrics.json's `results`."""
    keys = [key for key in _MEASURES if any(key in row for row in results)]
    columns = [
        _column([row.get(key) for row in results], key in _SHARES)
        for key in keys
    ]
    rows = tuple(
        Row(row["name"], _KINDS.get(row["kind"], row["kind"]), tuple(cells))
        for row, *cells in zip(results, *columns, strict=True)
    )
    return Table(
        caption, "representation", tuple(_MEASURES[k] for k in keys), rows
    )


def class_table(caption: str, results: Sequence[dict]) -> Table:
    """Average precision of every class, one column a representation."""
    classes = list(results[0]["per_class"]) if results else []
    rows = []
    for name in classes:
        measured = [row["per_class"].get(name, {}) for row in results]
        clips = measured[0].get(CLIPS)
        note = "" if clips is None else f"{clips} clips"
        cells = _column([values.get(AP) for values in measured], True)
        rows.append(Row(name, note, tuple(cells)))
    names = tuple(row["name"] for row in results)
    return Table(caption, "class", names, tuple(rows))


def separation_table(caption: str, results: Sequence[dict]) -> Table:
    """One row a kept checkpoint of a separation run."""
    keys = [
        key
        for key in (results[0] if results else ())
        if key != "processor" and isinstance(results[0][key], int | float)
    ]
    columns = [
        [
            Cell(value, f"{value:,}")
            if isinstance(value, int)
            else _cell(value, digits=2)
            for value in (row.get(key) for row in results)
        ]
        for key in keys
    ]
    rows = tuple(
        Row(row["processor"], "", tuple(cells))
        for row, *cells in zip(results, *columns, strict=True)
    )
    names = tuple(_SEPARATION_MEASURES.get(key, key) for key in keys)
    return Table(caption, "checkpoint", names, rows)


def _column(values: Sequence[float | None], share: bool) -> list[Cell]:
    """Cells of one quantity that is better when larger."""
    best = max((v for v in values if _is_number(v)), default=None)
    several = len(values) > 1
    return [
        dataclasses.replace(
            _cell(value),
            best=several and value is not None and value == best,
            bar=100 * value if share and _is_number(value) else None,
        )
        for value in values
    ]


def _cell(value: float | None, digits: int = 3) -> Cell:
    if not _is_number(value):
        return Cell(None, "–")
    return Cell(value, f"{value:.{digits}f}".replace("-", "−"))


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
