import pytest

from data import job_runner


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Jobs of tests that name no runner: worker processes start slowly."""
    monkeypatch.setattr(job_runner, "choose", lambda *_: job_runner.InProcess())
