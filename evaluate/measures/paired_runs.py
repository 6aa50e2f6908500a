"""--compare: whether one of two finished runs is better, clip by clip."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from data.run.errors import UserError
from evaluate.measures import clip_influences, metrics_file, probe_figures
from evaluate.measures.comparison_config import PROBE, RETRIEVAL
from evaluate.measures.probe_figures import Part
from evaluate.measures.results import (
    AP,
    CLASSIFIER,
    FRACTION,
    format_table,
    shown,
)
from evaluate.measures.scored_clips import ScoredClips
from evaluate.probing.recording_folds import numbered
from evaluate.uncertainty import influence, interval
from evaluate.uncertainty.influence import Influence
from evaluate.uncertainty.paired_test import Scored, swap_test, t_test

_LEVEL = 0.05
_CLASSES_SHOWN = 5


class Compared(NamedTuple):
    """Two rows, A and B, by one figure.

    Attributes:
      what: how both were measured.
      a, b: the two figures.
      effect: A minus B.
      interval: of the effect, 95 %.
      p: how often chance alone makes such an effect; None where A and B are
        identical.
      classes: (name, effect, interval) where there is one of each class.
    """

    what: str
    a: float
    b: float
    effect: float
    interval: tuple[float, float]
    p: float | None
    classes: Sequence[tuple[str, float, tuple[float, float]]] = ()

    @property
    def verdict(self) -> str:
        if self.p is None:
            return "identical"
        if self.p > _LEVEL:
            return "no difference that clips tell"
        return "A is better" if self.effect > 0 else "B is better"


def of_probes(a: str, b: str) -> str:
    """Tables of two rows of probes, for each way that both were measured.

    Args:
      a, b: RUN, which is its first row, or RUN:NAME.

    Raises:
      UserError: a run or row is missing, or they are not of the same clips
        with the same labels.
    """
    return _tables(a, b, compare_probes(a, b))


def compare_probes(a: str, b: str) -> list[Compared]:
    """The same, as numbers."""
    sides = [_rows(path, PROBE) for path in (a, b)]
    common = [key for key in sides[0][1] if key in sides[1][1]]
    if not common:
        raise UserError(
            f"--compare={a},{b}: they share no classifier and label fraction"
        )
    compared = []
    for key in common:
        clips_a, clips_b = (
            ScoredClips.load(folder, [rows[key]]) for folder, rows in sides
        )
        what = f"{key[0]}, {key[1]:g} of labels"
        compared.append(_probes(what, clips_a, _in_order_of(clips_a, clips_b)))
    return compared


def of_retrievals(a: str, b: str) -> str:
    """As `of_probes`, of two rows of retrieval."""
    return _tables(a, b, compare_retrievals(a, b))


def compare_retrievals(a: str, b: str) -> list[Compared]:
    """The same, as numbers."""
    (folder_a, rows_a), (folder_b, rows_b) = (
        _rows(path, RETRIEVAL) for path in (a, b)
    )
    [row_a], [row_b] = rows_a.values(), rows_b.values()
    kept_a = clip_influences.load(folder_a, row_a)
    kept_b = clip_influences.load(folder_b, row_b)
    if kept_a.facts != kept_b.facts or not np.array_equal(
        kept_a.clip_ids, kept_b.clip_ids
    ):
        raise UserError(
            f"--compare={a},{b}: they are of other clips, labels or draws"
        )
    recordings = numbered(kept_a.recordings)
    compared = []
    for name, of_a in kept_a.figures.items():
        of_b = kept_b.figures[name]
        moved = influence.difference(of_a, of_b)
        same = all(
            np.array_equal(x, y) for x, y in zip(of_a, of_b, strict=True)
        )
        compared.append(
            Compared(
                name,
                of_a.value,
                of_b.value,
                moved.value,
                interval.of_difference(moved, recordings),
                None if same else t_test(moved, recordings),
            )
        )
    return compared


def _rows(path: str, stage: str) -> tuple[str, dict[tuple, int]]:
    """The folder, and the numbers of the rows of a name by what they are of."""
    folder, name = path, None
    if not pathlib.Path(path).exists():
        folder, _, name = path.rpartition(":")
    rows = metrics_file.read_metrics(folder or path, stage)["results"]
    name = name or rows[0]["name"]
    found = {
        (row.get(CLASSIFIER), row.get(FRACTION)): number
        for number, row in enumerate(rows)
        if row["name"] == name
    }
    if not found:
        raise UserError(
            f"{folder} has no row {name!r}: it has "
            + ", ".join(dict.fromkeys(row["name"] for row in rows))
        )
    return folder or path, found


def _in_order_of(a: ScoredClips, b: ScoredClips) -> np.ndarray:
    """The scores of b, in the order of the clips of a.

    Raises:
      UserError: they are not of the same clips, folds or labels.
    """
    orders = [np.lexsort([x.clip_ids, x.folds]) for x in (a, b)]
    for name in ("clip_ids", "folds", "labels", "class_names"):
        of_a, of_b = (
            getattr(x, name) if name == "class_names" else getattr(x, name)[o]
            for x, o in zip((a, b), orders, strict=True)
        )
        if not np.array_equal(of_a, of_b):
            raise UserError(
                f"--compare: the runs differ in {name}: compare runs of the "
                "same clips and splits"
            )
    scores = np.empty_like(b.scores[0])
    scores[:, orders[0]] = b.scores[0][:, orders[1]]
    return scores


def _probes(what: str, clips: ScoredClips, other: np.ndarray) -> Compared:
    [scores] = clips.scores
    recordings = numbered(clips.recordings)
    places = clips.parts()
    labels = clips.labels != 0
    of_both = [
        [Part(labels[p], of_run[:, p]) for p in places]
        for of_run in (scores, other)
    ]
    totals = [probe_figures.Sum(parts) for parts in of_both]
    classes = []
    for name, *found in zip(
        clips.class_names.tolist(),
        *map(probe_figures.of_classes, of_both),
        strict=True,
    ):
        for total, of_class in zip(totals, found, strict=True):
            total.add(of_class.ap)
        having = [k for k, of_fold in enumerate(found[0].ap) if of_fold]
        if having:
            moved = influence.joined(
                [
                    influence.difference(found[0].ap[k], found[1].ap[k])
                    for k in having
                ]
            )
            where = np.concatenate([places[k] for k in having])
            reach = interval.of_difference(moved, recordings[where])
            classes.append((name, float(moved.value), reach))
    a, b = (total.mean() for total in totals)
    if a is None:
        raise UserError("--compare: a fold has no class to measure")
    moved: Influence = influence.difference(a, b)
    if np.array_equal(scores, other):
        p = None
    else:
        # Runs of several seeds are swapped as a whole, seed by seed.
        count = max(len(scores), len(other))
        p = swap_test(
            [
                Scored(
                    labels[at],
                    scores[k % len(scores), at],
                    other[k % len(other), at],
                    recordings[at],
                )
                for at in places
                for k in range(count)
            ]
        )
    order = np.concatenate(places)
    return Compared(
        what,
        float(a.value),
        float(b.value),
        float(moved.value),
        interval.of_difference(moved, recordings[order]),
        p,
        classes,
    )


def _tables(a: str, b: str, compared: Sequence[Compared]) -> str:
    header = ["measured", "A", "B", "A - B", "p", "verdict"]
    rows = [
        [
            one.what,
            shown(one.a),
            shown(one.b),
            shown(one.effect, one.interval),
            "-" if one.p is None else f"{one.p:.3f}",
            one.verdict,
        ]
        for one in compared
    ]
    return "\n".join(
        [
            f"A: {a}",
            f"B: {b}",
            format_table(header, rows, right=header[1:5]),
            *_of_classes(compared),
        ]
    )


def _of_classes(compared: Sequence[Compared]) -> Iterator[str]:
    """The classes that differ most, of each comparison that has some."""
    for one in compared:
        if one.classes and one.p is not None:
            most = sorted(one.classes, key=lambda c: -abs(c[1]))
            rows = [
                [name, shown(effect, reach)]
                for name, effect, reach in most[:_CLASSES_SHOWN]
            ]
            yield f"\nlargest differences in {AP}, {one.what}:"
            yield format_table(["class", "A - B"], rows, right=["A - B"])
