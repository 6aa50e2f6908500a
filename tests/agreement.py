"""Agreement with reference implementations: asserted, and tabulated.

Where the tests are shared among processes (pytest-xdist), each hands its rows
to the one that prints.
"""

import numpy as np
import pytest

_HEADINGS = ("part", "source", "test file", "difference", "tolerance", "unit")


class Agreements(dict):
    """(part, source, test file, tolerance, unit) -> largest difference."""

    def record(self, row: tuple, difference: float) -> None:
        # A NaN stays: np.fmax would hide it.
        self[row] = float(np.maximum(self.get(row, difference), difference))

    def table(self) -> list[str]:
        """Aligned lines by test file, headings first."""
        rows = [_HEADINGS]
        # Tests that are shared among processes end in any order.
        for row in sorted(self, key=lambda row: (row[2], row)):
            part, source, file, tolerance, unit = row
            numbers = (f"{self[row]:.1e}", f"{tolerance:.1e}")
            rows.append((part, source, file, *numbers, unit))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


_AGREEMENTS = pytest.StashKey[Agreements]()


def largest_difference(value, expected) -> float:
    """Largest absolute difference of two arrays of one shape."""
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape
    return np.max(np.abs(value - expected))


def relative_difference(value, expected) -> float:
    """Norm of the difference over the norm of what is expected."""
    value, expected = np.asarray(value), np.asarray(expected)
    assert value.shape == expected.shape
    return np.linalg.norm(value - expected) / np.linalg.norm(expected)


@pytest.fixture
def agrees(request):
    """Function that asserts a difference and has it printed at the end.

    Args of the function:
      part: what of ours is compared, a few words.
      source: the reference.
      difference: a number; `largest_difference` and `relative_difference`
        measure it.
      tolerance: greatest difference that passes; a NaN does not.
      unit: of the difference, where it has one.
    """
    agreements = request.config.stash.setdefault(_AGREEMENTS, Agreements())
    file = request.node.path.relative_to(request.config.rootpath).as_posix()
    file = file.removeprefix("tests/")

    def check(part, source, difference, tolerance, unit=""):
        row = (part, source, file, tolerance, unit)
        agreements.record(row, difference)
        assert difference <= tolerance, (
            f"{part} differs from {source} by {difference:.2e}"
        )

    return check


def pytest_sessionfinish(session):
    config = session.config
    # Of a process that tests for another one.
    if hasattr(config, "workeroutput"):
        agreements = config.stash.get(_AGREEMENTS, Agreements())
        config.workeroutput["agreements"] = [*agreements.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    agreements = node.config.stash.setdefault(_AGREEMENTS, Agreements())
    # A process that crashed sends nothing.
    sent = getattr(node, "workeroutput", {}).get("agreements", ())
    for row, difference in sent:
        agreements.record(row, difference)


def pytest_terminal_summary(terminalreporter, config):
    agreements = config.stash.get(_AGREEMENTS, Agreements())
    if agreements:
        terminalreporter.section("agreement with references")
        for line in agreements.table():
            terminalreporter.write_line(line)
