import ast
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "cases", [100, pytest.param(3000, marks=pytest.mark.long)]
)
def test_damaged_shards_cost_what_is_damaged_and_no_more(cases):
    """No hang, no crash, every intact clip once, every other one listed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.shards.shard_fuzz", str(cases), "7"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        # Of one case some 0.1 s; what hangs ends earlier, with a traceback.
        timeout=600 + cases,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    causes = ast.literal_eval(done.stdout.strip().splitlines()[-1])
    expected = {"missing_file", "truncated", "checksum", "not_an_example"}
    assert expected <= set(causes)
