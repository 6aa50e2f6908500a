"""Runners whose processes find by name what they run, for tests of jobs."""

import concurrent.futures

import pytest

from data.jobs.beam_runner import RunnerOptions, choose, make_one
from tests import skips
from tests.script_process import FORK_SERVER


def another_process(make, tasks, shards):
    """Stands for Beam where that is not installed."""
    with concurrent.futures.ProcessPoolExecutor(1, FORK_SERVER) as process:
        for task in tasks:
            process.submit(make_one, task, make, shards.folder).result()
            yield task


def beam(name="DirectRunner", options=""):
    pytest.importorskip("apache_beam", reason=skips.missing("apache-beam"))
    return choose(RunnerOptions(name, options))


ELSEWHERE = pytest.mark.parametrize(
    "make_runner", [lambda: another_process, beam], ids=["process", "beam"]
)
