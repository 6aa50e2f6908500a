"""Lines at the end of a run: what was skipped, and what would run it."""

import collections

import pytest


def missing(package: str) -> str:
    """Reason of a skip for want of a package."""
    return f"{package} is not installed (pip install {package})"


@pytest.hookimpl(specname="pytest_terminal_summary")
def pytest_tell_skips(terminalreporter):
    reasons = collections.Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", ())
    )
    for reason, count in sorted(reasons.items()):
        tests = "test" if count == 1 else "tests"
        terminalreporter.write_line(f"skipped: {count} {tests}, {reason}")
