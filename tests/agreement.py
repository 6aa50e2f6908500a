"""Agreement with reference implementations: asserted, and tabulated."""

import numpy as np
import pytest

_TITLE = "agreement with references"
_HEADINGS = ("part", "source", "test file", "difference", "tolerance", "unit")


class Agreements:
    """Largest measured difference of each part, in the order of the tests."""

    def __init__(self):
        self._differences = {}

    def record(self, row: tuple, difference: float) -> None:
        """`row`: part, source, test file, tolerance, unit."""
        known = self._differences.get(row, difference)
        # A NaN stays: np.fmax would hide it.
        self._differences[row] = np.maximum(known, difference)

    def table(self) -> list[str]:
        """Aligned lines, headings first; no line where nothing is known."""
        if not self._differences:
            return []
        rows = [_HEADINGS]
        for row, difference in self._differences.items():
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


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(_AGREEMENTS, Agreements()).table()
    if lines:
        terminalreporter.section(_TITLE)
        for line in lines:
            terminalreporter.write_line(line)
