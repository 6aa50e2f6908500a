"""The project against what a user would take instead: make bench.

For each row of `rows`, a process of ours and one of each peer stand ready
with the same piece of work, show that they compute the same, and take turns.
A figure is the median over the rounds, a ratio the peer's over ours.

  python -m tests.bench.compare --rows="loss|search"
"""

import pathlib
import re
import shutil
import sys
import tempfile

import numpy as np
from absl import app, flags

from data.run.atomic_write import write_json
from tests import ROOT
from tests.bench import machine, table
from tests.bench.rows import ROWS, Row
from tests.bench.turns import Turns, take_rounds

PEERS_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
# Of short work, and of work that takes `turns.SLOW_S`.
ROUNDS, QUICK_ROUNDS = (5, 3), (2, 1)
TURN_S, QUICK_TURN_S = 1.0, 0.2

_OUTPUT = flags.DEFINE_string("output", "runs/bench/bench.json", "figures")
_ROWS = flags.DEFINE_string("rows", "", "of these titles (a pattern)")
_QUICK = flags.DEFINE_bool(
    "quick", False, "rough figures: fewer rounds, no long rows"
)


def main(_) -> None:
    output = pathlib.Path(_OUTPUT.value)
    output.parent.mkdir(parents=True, exist_ok=True)
    measured = {"machine": measure_machine(), "quick": _QUICK.value, "rows": []}
    print("\n".join([*table.head(measured), *table.header()]), flush=True)
    for row in ROWS:
        if not re.search(_ROWS.value, row.title):
            continue
        if row.is_long and _QUICK.value:
            continue
        figures = measure(row)
        measured["rows"].append(figures)
        write_json(output, measured)
        print("\n".join(table.lines(figures, measured["machine"])), flush=True)
    print(f"\n{output}")
    if any("error" in row for row in measured["rows"]):
        sys.exit("some rows have no figures")


def measure_machine() -> dict:
    """What it is, and the most that NumPy or PyTorch gets out of it."""
    peaks = {}
    for name, arguments in (
        ("matrix_product", {"size": 3072}),
        ("copy", {"megabytes": 256}),
    ):
        both = _measure(f"peak:{name}", arguments, [(f"peak:{name}", {})])
        peaks[name] = min(turns.median() for turns in both)
    return {
        "processor": machine.processor(),
        "description": machine.description(),
        # A multiply-add is two operations, a copy reads and writes.
        "gflops": 2 * 3072**3 / peaks["matrix_product"] / 1e9,
        "gigabytes_per_s": 2 * 256 * 2**20 / peaks["copy"] / 1e9,
    }


def measure(row: Row) -> dict:
    """The figures of a row for JSON; "error" instead where there are none."""
    figures = {"title": row.title, "goal_s": row.goal_s}
    peers = row.peers
    if _QUICK.value or not shutil.which("g++"):
        peers = [peer for peer in row.peers if not peer.is_compiled]
    if len(peers) < len(row.peers):
        why = "this is quick" if _QUICK.value else "there is no g++"
        [compiled] = {peer.title for peer in row.peers if peer.is_compiled}
        figures["left_out"] = f"{compiled}: {why}"
    try:
        ours, *others = _measure(
            row.target,
            row.arguments,
            [(peer.target, peer.arguments) for peer in peers],
            row.tolerance,
        )
    except (RuntimeError, AssertionError) as error:
        return figures | {"error": str(error)}
    figures |= ours.ready | {"ours": ours.figures()}
    figures["peers"] = [
        {
            "title": peer.title,
            "goal": peer.goal,
            "versions": turns.ready["versions"],
            "ratio": turns.median() / ours.median(),
            **turns.figures(),
        }
        for peer, turns in zip(peers, others, strict=True)
    ]
    return figures


def _measure(
    target: str, arguments: dict, peers: list, tolerance: float = 0.0
) -> list[Turns]:
    """Ours and its peers, after their rounds.

    Raises:
      AssertionError: they do not compute the same.
      RuntimeError: a process has ended.
    """
    rounds, turn_s = ROUNDS, TURN_S
    if _QUICK.value:
        rounds, turn_s = QUICK_ROUNDS, QUICK_TURN_S
    all_turns = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            all_turns.append(
                Turns(
                    sys.executable,
                    f"tests.bench.ours.{target}",
                    arguments,
                    folder,
                    "ours",
                    turn_s,
                )
            )
            for number, (peer, more) in enumerate(peers):
                all_turns.append(
                    Turns(
                        str(PEERS_PYTHON),
                        f"tests.bench.peers.{peer}",
                        {**arguments, **more},
                        folder,
                        f"peer{number}",
                        turn_s,
                    )
                )
            ours, *others = (turns.answer() for turns in all_turns)
            for (peer, _), theirs in zip(peers, others, strict=True):
                check_same(ours, theirs, tolerance, peer)
            take_rounds(all_turns, *rounds)
        finally:
            for turns in all_turns:
                turns.end()
    return all_turns


def check_same(ours: dict, theirs: dict, tolerance: float, peer: str) -> None:
    """Raises AssertionError where a peer has computed something else.

    Args:
      tolerance: relative to the largest value of ours.
    """
    for name, value in ours.items():
        other = theirs[name]
        if value.shape != other.shape:
            raise AssertionError(
                f"{name} of {peer} has shape {other.shape}, ours {value.shape}"
            )
        known = ~np.isnan(value)
        difference = np.where(known, np.abs(value - other), 0).max()
        difference /= np.abs(value[known]).max()
        is_nan_alike = np.array_equal(known, ~np.isnan(other))
        if not (is_nan_alike and difference <= tolerance):
            raise AssertionError(
                f"{name} of {peer} differs by {difference:.2g} of the largest "
                f"value, more than {tolerance:g}"
            )


if __name__ == "__main__":
    app.run(main)
