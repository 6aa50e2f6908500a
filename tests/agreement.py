"""Agreement with reference implementations: asserted, and tabulated.

Where the tests are shared among processes (pytest-xdist), each hands its rows
to the one that prints.
"""

import numpy as np
import pytest

_TITLE = "agreement with references"
_HEADINGS = ("part", "source", "test file", "difference", "tolerance", "unit")


class Agreements:
    """Largest measured difference of each part, sorted by test file."""

    def __init__(self):
        self._differences = {}

    def record(self, row: tuple, difference: float) -> None:
        """`row`: part, source, test file, tolerance, unit."""
        known = self._differences.get(row, difference)
        # A NaN stays: np.fmax would hide it.
        self._differences[row] = np.maximum(known, difference)

    def as_numbers(self) -> list[tuple]:
        """Plain (row, difference), which can be sent to another process."""
        return [
            ((part, source, file, float(tolerance), unit), float(difference))
            for (part, source, file, tolerance, unit), difference in (
                self._differences.items()
            )
        ]

    def table(self) -> list[str]:
        """Aligned lines, headings first; no line where nothing is known."""
        if not self._differences:
            return []
        rows = [_HEADINGS]
        # Tests that are shared among processes end in any order.
        for row, difference in sorted(
            self._differences.items(), key=lambda item: (item[0][2], item[0])
        ):
            part, source, file, tolerance, unit = row
            numbers = (f"{difference:.1e}", f"{tolerance:.1e}")
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
        config.workeroutput["agreements"] = agreements.as_numbers()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    agreements = node.config.stash.setdefault(_AGREEMENTS, Agreements())
    # A process that crashed sends nothing.
    sent = getattr(node, "workeroutput", {}).get("agreements", ())
    for row, difference in sent:
        agreements.record(row, difference)


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(_AGREEMENTS, Agreements()).table()
    if lines:
        terminalreporter.section(_TITLE)
        for line in lines:
            terminalreporter.write_line(line)
