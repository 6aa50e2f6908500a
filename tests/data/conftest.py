import contextlib

import pytest

from data.ingest import ingest_job
from data.run.rejects import Rejected


class ThisProcess(contextlib.nullcontext):
    """Stands for a `DecoderPool`: other processes start slowly."""

    def __init__(self, *options):
        super().__init__(self)

    def map(self, items):
        for _, call in items:
            try:
                yield call()
            except Rejected as rejected:
                yield rejected


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    monkeypatch.setattr(ingest_job, "DecoderPool", ThisProcess)
