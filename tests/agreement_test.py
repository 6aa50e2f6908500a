import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.agreement import (
    Agreements,
    largest_difference,
    relative_difference,
)

CONFTEST = """\
from tests.agreement import (
    agrees,
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
"""
TESTS = """\
import numpy as np
import pytest

@pytest.mark.parametrize("difference", [1e-3, 3e-3, 2e-3])
def test_same_part_three_times(agrees, difference):
    agrees("a part", "a source", difference, 4e-3, "dB")

def test_at_the_tolerance(agrees):
    agrees("another", "a longer source", np.float32(0), 0.0)

def test_too_far(agrees):
    agrees("far", "s", 2.0, 1.0)

def test_nan(agrees):
    agrees("unknown", "s", np.nan, 1.0)

def test_without():
    pass
"""
OTHER_TESTS = """\
def test_other(agrees):
    agrees("early", "s", 0.5, 1)
"""


def _pytest(folder: pathlib.Path, *arguments: str):
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "some_test.py").write_text(TESTS)
    (folder / "other_test.py").write_text(OTHER_TESTS)
    root = str(pathlib.Path(__file__).parents[1])
    (folder / "pytest.ini").write_text(
        f"[pytest]\npython_files = *_test.py\npythonpath = {root}\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("arguments", [[], ["-n2", "--dist=worksteal"]])
def test_table_at_the_end_of_a_run(tmp_path, arguments):
    result = _pytest(tmp_path, *arguments)
    assert "2 failed, 6 passed" in result.stdout
    assert "far differs from s by 2.00e+00" in result.stdout
    table = textwrap.dedent("""\
        part     source           test file      difference  tolerance  unit
        early    s                other_test.py  5.0e-01     1.0e+00
        a part   a source         some_test.py   3.0e-03     4.0e-03    dB
        another  a longer source  some_test.py   0.0e+00     0.0e+00
        far      s                some_test.py   2.0e+00     1.0e+00
        unknown  s                some_test.py   nan         1.0e+00
        """)
    assert table in result.stdout


def test_a_process_that_crashes_costs_its_test_alone(tmp_path):
    # The first test of a process: no row is lost with it.
    crash = "import os\n\ndef test_crash():\n    os._exit(3)\n"
    (tmp_path / "a_test.py").write_text(crash)
    result = _pytest(tmp_path, "-n2", "--dist=worksteal")
    assert "3 failed, 6 passed" in result.stdout
    assert "early    s " in result.stdout
    assert "unknown  s " in result.stdout


def test_nothing_is_printed_where_nothing_was_compared(tmp_path):
    result = _pytest(tmp_path, "-k", "test_without")
    assert "1 passed" in result.stdout
    assert "agreement" not in result.stdout


def test_a_nan_is_not_hidden_by_a_later_number():
    agreements = Agreements()
    for difference in (1.0, np.nan, 2.0):
        agreements.record(("part", "source", "file", 3.0, ""), difference)
    assert "nan" in agreements.table()[1]


def test_differences_by_hand():
    assert largest_difference([1.0, 2.0], [1.5, -1.0]) == 3
    assert np.isnan(largest_difference([1.0, np.nan], [1.0, 2.0]))
    # Norms 5 and 10.
    assert relative_difference([9.0, 4.0], [6.0, 8.0]) == 0.5


@pytest.mark.parametrize("measure", [largest_difference, relative_difference])
def test_nothing_is_broadcast(measure):
    with pytest.raises(AssertionError):
        measure(np.zeros((2, 1)), np.zeros((2, 3)))
