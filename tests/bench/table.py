"""The table of `make bench`, as text and for a README.

  python -m tests.bench.table runs/bench/bench.json

prints it in Markdown.
"""

import json
import pathlib
import sys
from collections.abc import Sequence

_WIDTHS = (52, 32, 9, 19, 9, 19, 7, 6, 5, 13)
_TITLES = (
    "work",
    "peer",
    "ours, ms",
    "from..to",
    "peer, ms",
    "from..to",
    "ratio",
    "goal",
    "met",
    "MB, ours/peer",
)


def head(measured: dict) -> list[str]:
    """What it was measured on."""
    of = measured["machine"]
    lines = [
        of["description"],
        f"matrix product, float32: {of['gflops']:.0f} GFLOP/s; "
        f"copy: {of['gigabytes_per_s']:.1f} GB/s",
    ]
    if measured["quick"]:
        lines.append(
            "quick: rough figures of few, short rounds, without the long rows"
        )
    return [*lines, ""]


def cells(row: dict, of_machine: dict) -> list[list[str]]:
    """A row as cells, one line for each peer."""
    if "error" in row:
        return [[row["title"], f"error: {row['error']}"]]
    ours = row["ours"]
    mine = [f"{1e3 * ours['seconds']:.1f}", _spread(ours)]
    lines = []
    for peer in row["peers"]:
        goal = peer["goal"]
        lines.append(
            [
                row["title"],
                peer["title"],
                *mine,
                f"{1e3 * peer['seconds']:.1f}",
                _spread(peer),
                f"{peer['ratio']:.2f}",
                "" if goal is None else f"{goal:g}",
                "" if goal is None else _met(peer["ratio"] >= goal),
                _memory(ours, peer),
            ]
        )
    if row["goal_s"] is not None:
        goal_s = row["goal_s"]
        lines.append(
            [
                row["title"],
                "(time)",
                *mine,
                "",
                "",
                "",
                f"{1e3 * goal_s:g}",
                _met(ours["seconds"] <= goal_s),
                "",
            ]
        )
    if row["multiply_adds"]:
        gflops = 2 * row["multiply_adds"] / ours["seconds"] / 1e9
        share = gflops / of_machine["gflops"]
        lines.append(
            [
                row["title"],
                f"(GFLOP/s: {gflops:.0f}, {share:.0%} of the peak)",
            ]
        )
    if "left_out" in row:
        lines.append([row["title"], f"(left out: {row['left_out']})"])
    return lines


def header() -> list[str]:
    return [_aligned(_TITLES), _aligned(["-" * width for width in _WIDTHS])]


def lines(row: dict, of_machine: dict) -> list[str]:
    """A row as text, its title once."""
    of_row = cells(row, of_machine)
    return [
        _aligned([line[0] if not number else "", *line[1:]])
        for number, line in enumerate(of_row)
    ]


def markdown(measured: dict) -> list[str]:
    """The whole table for a README."""
    found = [*head(measured)]
    found += [_piped(_TITLES), _piped(["---"] * len(_TITLES))]
    for row in measured["rows"]:
        for line in cells(row, measured["machine"]):
            found.append(_piped(line + [""] * (len(_TITLES) - len(line))))
    return found


def _met(is_met: bool) -> str:
    return "yes" if is_met else "no"


def _memory(ours: dict, peer: dict) -> str:
    both = [round(figures["megabytes"]) for figures in (ours, peer)]
    # Of whole programs it is that of other processes.
    return "{}/{}".format(*both) if any(both) else ""


def _spread(figures: dict) -> str:
    return f"{1e3 * figures['fastest']:.1f}..{1e3 * figures['slowest']:.1f}"


def _piped(line: Sequence[str]) -> str:
    return f"| {' | '.join(line)} |"


def _aligned(line: Sequence[str]) -> str:
    padded = [
        cell.ljust(width) if number < 2 else cell.rjust(width)
        for number, (cell, width) in enumerate(
            zip(line, _WIDTHS[: len(line)], strict=True)
        )
    ]
    return "  ".join(padded).rstrip()


if __name__ == "__main__":
    file = pathlib.Path(sys.argv[1])
    print("\n".join(markdown(json.loads(file.read_text()))))
