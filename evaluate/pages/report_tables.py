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
from evaluate.measures.results import (
    ACCURACY,
    AP,
    AUC,
    CHANCE,
    CLASSIFIER,
    CLIPS,
    D_PRIME,
    FRACTION,
    HEARD,
    INTERVALS,
    MAP,
    PRECISION,
    RANKING_MAP,
)

_MEASURES = {
    MAP: "mAP",
    AUC: "AUC",
    D_PRIME: "d′",
    ACCURACY: "accuracy",
    RANKING_MAP: "mAP, full ranking",
    PRECISION: "precision at k",
}
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
    """One row a representation, of metrics.json's `results`, and chance."""
    keys = [key for key in _MEASURES if key in results[0]]
    columns = [
        # The others run from 0 to 1, so a bar can stand for them.
        [
            dataclasses.replace(cell, note=_interval(row, key))
            for cell, row in zip(
                _column([row.get(key) for row in results], key != D_PRIME),
                results,
                strict=True,
            )
        ]
        for key in keys
    ]
    rows = [
        (row["name"], _note(row), cells)
        for row, *cells in zip(results, *columns, strict=True)
    ]
    if chance := results[0].get(CHANCE):
        cells = [number(chance.get(key), ".3f") for key in keys]
        rows.append(("chance", "a ranking at random", cells))
    return Table(caption, "representation", [_MEASURES[k] for k in keys], rows)


def class_table(caption: str, results: Sequence[dict]) -> Table:
    """Average precision of every class, one column a row of the results."""
    rows = [
        (
            name,
            f"{of_class[CLIPS]} clips",
            _column([row["per_class"][name][AP] for row in results], True),
        )
        for name, of_class in results[0]["per_class"].items()
    ]
    names = [
        ", ".join([row["name"], *_how(row)]) if _how(row) else row["name"]
        for row in results
    ]
    return Table(caption, "class", names, rows)


def _how(row: dict) -> list[str]:
    """Classifier and share of labels, where a row has them."""
    how = [row[CLASSIFIER]] if CLASSIFIER in row else []
    if row.get(FRACTION, 1) != 1:
        how.append(f"{100 * row[FRACTION]:g} % of labels")
    return how


def _note(row: dict) -> str:
    kind = _KINDS.get(row["kind"], row["kind"])
    heard = "pretrained on the sound measured" if row.get(HEARD) else ""
    return "; ".join(filter(None, [kind, heard, ", ".join(_how(row))]))


def _interval(row: dict, key: str) -> str:
    found = row.get(INTERVALS, {}).get(key)
    if not found or len(found) != 2 or None in found:
        return ""
    return " to ".join(number(end, ".3f").text for end in found)


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
