"""Tables of numbers for the report."""

import dataclasses
import math
from collections.abc import Sequence

from data.page.table import Cell, Table, number
from evaluate.embeddings.encoders import (
    ENCODER,
    LOG_MEL_STATISTICS,
    UNTRAINED,
)
from evaluate.embeddings.strangers import HEAR, SAVED_MODEL
from evaluate.measures.results import AP, AUC, CLIPS, D_PRIME

_MEASURES = {"mAP": "mAP", AUC: "AUC", D_PRIME: "d′"}
_KINDS = {
    ENCODER: "",
    UNTRAINED: "baseline, random weights",
    LOG_MEL_STATISTICS: "baseline, no network",
    SAVED_MODEL: "of others, a SavedModel",
    HEAR: "of others, a HEAR module",
}
# Key of metrics.json, heading, and format.
_SEPARATION_MEASURES = (
    ("step", "step", ","),
    ("si_sdr_improvement_mixit_db", "MixIT-assigned", ".2f"),
    ("si_sdr_improvement_oracle_db", "oracle-matched", ".2f"),
)


def measures_table(caption: str, results: Sequence[dict]) -> Table:
    """One row a representation, of metrics.json's `results`."""
    keys = [key for key in _MEASURES if key in results[0]]
    columns = [
        # The others run from 0 to 1, so a bar can stand for them.
        _column([row[key] for row in results], key != D_PRIME)
        for key in keys
    ]
    rows = [
        (row["name"], _KINDS.get(row["kind"], row["kind"]), cells)
        for row, *cells in zip(results, *columns, strict=True)
    ]
    return Table(caption, "representation", [_MEASURES[k] for k in keys], rows)


def class_table(caption: str, results: Sequence[dict]) -> Table:
    """Average precision of every class, one column a representation."""
    rows = [
        (
            name,
            f"{of_class[CLIPS]} clips",
            _column([row["per_class"][name][AP] for row in results], True),
        )
        for name, of_class in results[0]["per_class"].items()
    ]
    return Table(caption, "class", [row["name"] for row in results], rows)


def separation_table(results: Sequence[dict]) -> Table:
    """One row a kept checkpoint of a separation run."""
    rows = [
        (
            row["processor"],
            "",
            [number(row.get(k), spec) for k, _, spec in _SEPARATION_MEASURES],
        )
        for row in results
    ]
    names = [name for _, name, _ in _SEPARATION_MEASURES]
    caption = "SI-SDR improvement over the mixture, dB"
    return Table(caption, "checkpoint", names, rows)


def _column(values: Sequence[float | None], share: bool) -> list[Cell]:
    """Cells of one quantity that is better when larger."""
    best = max((v for v in values if v is not None), default=math.nan)
    return [
        dataclasses.replace(
            number(value, ".3f"),
            best=len(values) > 1 and value == best,
            bar=100 * value if share and value is not None else None,
        )
        for value in values
    ]
