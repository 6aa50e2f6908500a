import json

import pytest

from data.run.errors import UserError
from train.loop import cluster
from train.loop.cluster import Cluster

WORKERS = ["a:1", "b:2", "c:3"]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)


def _describe(monkeypatch, jobs, job, index):
    config = {"cluster": jobs, "task": {"type": job, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))


@pytest.mark.parametrize(
    "jobs, job, index, expected",
    [
        ({"worker": WORKERS}, "worker", 0, Cluster(0, 3)),
        ({"worker": WORKERS}, "worker", "2", Cluster(2, 3)),
        ({"worker": WORKERS[:1]}, "worker", 0, Cluster(0, 1)),
        ({"chief": ["z:9"], "worker": WORKERS}, "chief", 0, Cluster(0, 4)),
        ({"worker": WORKERS, "chief": ["z:9"]}, "worker", 1, Cluster(2, 4)),
    ],
)
def test_the_place_in_tf_config(monkeypatch, jobs, job, index, expected):
    _describe(monkeypatch, jobs, job, index)
    found = cluster.of("multi_worker")
    assert found == expected
    assert found.is_chief == (expected.worker == 0)


@pytest.mark.parametrize(
    "jobs, job, index, reason",
    [
        ({"worker": WORKERS}, "worker", 3, "not in list"),
        ({"worker": WORKERS}, "chief", 0, "not in list"),
        ({"worker": WORKERS}, "worker", "x", "invalid literal"),
        ({"worker": WORKERS, "ps": ["p:1"]}, "worker", 0, "no job 'ps'"),
        (WORKERS, "worker", 0, "AttributeError"),
    ],
)
def test_a_wrong_place_is_told(monkeypatch, jobs, job, index, reason):
    _describe(monkeypatch, jobs, job, index)
    with pytest.raises(UserError, match=reason) as caught:
        cluster.of("multi_worker")
    message = str(caught.value)
    assert message.startswith("TF_CONFIG={") and "\n" not in message


@pytest.mark.parametrize("text", ["{", "[]", "3", "null", '{"cluster": {}}'])
def test_what_is_no_description_is_told(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="^TF_CONFIG=.* is not understood"):
        cluster.of("multi_worker")


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": ""}])
def test_without_a_description_it_is_told(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="neither TF_CONFIG nor Slurm"):
        cluster.of("multi_worker")


def test_slurm_is_heeded_without_tf_config(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "4")
    # A batch script that starts nothing by srun.
    assert not cluster.is_slurm()
    with pytest.raises(UserError, match="neither TF_CONFIG nor Slurm"):
        cluster.of("multi_worker")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "6")
    assert cluster.is_slurm()
    assert cluster.of("multi_worker") == Cluster(4, 6)
    _describe(monkeypatch, {"worker": WORKERS}, "worker", 1)
    assert not cluster.is_slurm()
    assert cluster.of("multi_worker") == Cluster(1, 3)


@pytest.mark.parametrize("strategy", ["default", "mirrored", "tpu"])
def test_one_process_heeds_neither(monkeypatch, strategy):
    monkeypatch.setenv("TF_CONFIG", "{")
    monkeypatch.setenv("SLURM_PROCID", "4")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "6")
    assert cluster.of(strategy) == Cluster(0, 1)
    assert cluster.of(strategy).is_chief
