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


def _description(jobs, job, index):
    return json.dumps({"cluster": jobs, "task": {"type": job, "index": index}})


@pytest.mark.parametrize(
    "jobs, job, index, expected",
    [
        ({"worker": WORKERS}, "worker", "2", Cluster(2, 3)),
        ({"worker": WORKERS, "chief": ["z:9"]}, "chief", 0, Cluster(0, 4)),
        ({"worker": WORKERS, "chief": ["z:9"]}, "worker", 1, Cluster(2, 4)),
    ],
)
def test_the_place_in_tf_config(monkeypatch, jobs, job, index, expected):
    monkeypatch.setenv("TF_CONFIG", _description(jobs, job, index))
    assert cluster.of("multi_worker") == expected
    assert expected.is_chief == (expected.worker == 0)


@pytest.mark.parametrize(
    "text, reason",
    [
        (_description({"worker": WORKERS}, "worker", 3), "not in list"),
        (
            _description({"worker": WORKERS, "ps": ["p:1"]}, "worker", 0),
            "no job 'ps'",
        ),
        (_description(WORKERS, "worker", 0), "AttributeError"),
        ("{", "JSONDecodeError"),
        ("null", "TypeError"),
    ],
)
def test_a_wrong_description_is_told(monkeypatch, text, reason):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=reason) as caught:
        cluster.of("multi_worker")
    message = str(caught.value)
    assert message.startswith(f"TF_CONFIG={text} is not understood")
    assert "\n" not in message


def test_slurm_is_heeded_without_tf_config(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "4")
    # A batch script that starts nothing by srun.
    with pytest.raises(UserError, match="neither TF_CONFIG nor Slurm"):
        cluster.of("multi_worker")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "x")
    told = "SLURM_PROCID=4, SLURM_STEP_NUM_TASKS=x: whole numbers are wanted"
    with pytest.raises(UserError, match=told):
        cluster.of("multi_worker")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "6")
    assert cluster.is_slurm()
    assert cluster.of("multi_worker") == Cluster(4, 6)
    monkeypatch.setenv(
        "TF_CONFIG", _description({"worker": WORKERS}, "worker", 1)
    )
    assert not cluster.is_slurm()
    assert cluster.of("multi_worker") == Cluster(1, 3)
    for strategy in ("default", "mirrored", "tpu"):
        assert cluster.of(strategy) == Cluster(0, 1)
    monkeypatch.setenv("TF_CONFIG", "")
    with pytest.raises(UserError, match="neither TF_CONFIG nor Slurm"):
        cluster.of("multi_worker")
