import textwrap

import numpy as np
import pytest

from tests import ROOT
from tests.agreement import (
    Agreements,
    largest_difference,
    relative_difference,
)

pytest_plugins = ["pytester"]

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
"""
OTHER_TESTS = """\
def test_other(agrees):
    agrees("early", "s", 0.5, 1)
"""


TABLE = textwrap.dedent("""\
    part     source           test file      difference  tolerance  unit
    early    s                other_test.py  5.0e-01     1.0e+00
    a part   a source         some_test.py   3.0e-03     4.0e-03    dB
    another  a longer source  some_test.py   0.0e+00     0.0e+00
    far      s                some_test.py   2.0e+00     1.0e+00
    unknown  s                some_test.py   nan         1.0e+00
    """)


@pytest.fixture
def run(pytester):
    """Function of arguments: what pytest prints of the tests above."""
    pytester.makeini(
        f"[pytest]\npython_files = *_test.py\npythonpath = {ROOT}\n"
    )
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(some_test=TESTS, other_test=OTHER_TESTS)

    def run(*arguments):
        done = pytester.runpytest_inprocess("-pno:cacheprovider", *arguments)
        return done.stdout.str()

    return run


def test_table_at_the_end_of_a_run(run):
    printed = run()
    assert "2 failed, 5 passed" in printed
    assert "far differs from s by 2.00e+00" in printed
    assert TABLE in printed


def test_tests_shared_among_processes_give_one_table(run, pytester):
    """And a process that crashes costs its test alone."""
    # The first test of a process: no row is lost with it.
    pytester.makepyfile(
        a_test="import os\n\ndef test_crash():\n    os._exit(3)\n"
    )
    printed = run("-n2", "--dist=worksteal")
    assert "3 failed, 5 passed" in printed
    assert TABLE in printed


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
