import pytest

pytest_plugins = ["pytester"]

TESTS = """\
import pytest

def test_package():
    pytest.importorskip("no_such", reason="no_such is missing (get it)")

@pytest.mark.skipif(True, reason="no_such is missing (get it)")
def test_mark():
    pass

@pytest.fixture
def disk():
    pytest.skip("no disk (buy one)")

def test_fixture(disk):
    pass

def test_nothing():
    pass
"""


@pytest.fixture
def run(pytester):
    pytester.makeconftest("from tests.skips import pytest_tell_skips")
    pytester.makepyfile(TESTS)
    return lambda *arguments: pytester.runpytest_inprocess(*arguments).stdout


def test_one_line_for_each_reason(run):
    run().fnmatch_lines(
        [
            "skipped: 1 test, no disk (buy one)",
            "skipped: 2 tests, no_such is missing (get it)",
            "*1 passed, 3 skipped*",
        ],
        consecutive=True,
    )


def test_no_line_where_nothing_was_skipped(run):
    run("-k", "test_nothing").no_fnmatch_line("skipped:*")
