import ast
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = int(os.environ.get("SHARD_FUZZ_CASES", "300"))


def test_damaged_shards_cost_what_is_damaged_and_no_more():
    """No hang, no crash, every intact clip once, every other one listed."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.shard_fuzz", str(CASES), "7"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        # Of one case some 0.1 s; what hangs ends earlier, with a traceback.
        timeout=600 + CASES,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    causes = ast.literal_eval(done.stdout.strip().splitlines()[-1])
    expected = {"missing_file", "truncated", "checksum", "not_an_example"}
    assert expected <= set(causes)
