"""Runners whose processes find by name what they run, for tests of jobs."""

import pytest

from data.beam_runner import BeamRunner
from data.worker_pool import WorkerPool
from tests import skips


def worker_pool():
    return WorkerPool(1)


def beam():
    pytest.importorskip("apache_beam", reason=skips.missing("apache-beam"))
    return BeamRunner("DirectRunner")


ELSEWHERE = pytest.mark.parametrize("make_runner", [worker_pool, beam])
