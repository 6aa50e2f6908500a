import json
import types

import numpy as np
import pytest

from evaluate.measures import results

ROW = types.SimpleNamespace(
    name="toy", kind="encoder", encoder="runs/toy", identity="1f"
)


def test_record_by_hand():
    record = results.result(
        ROW,
        ["a", "b", "c"],
        clips=np.array([3, 0, 5], np.uint64),
        ap=np.array([0.5, np.nan, 1.0]),
        auc=np.array([0.8, np.nan, 1.0]),
    )
    assert record["mAP"] == 0.75
    assert record["AUC"] == 0.9
    # d-prime of the mean AUC: sqrt(2) * 1.2815515655.
    assert record["d_prime"] == pytest.approx(1.8123876)
    assert record["per_class"]["b"] == {
        "AP": None,
        "AUC": None,
        "d_prime": None,
        "clips": 0,
    }
    json.dumps(record, allow_nan=False)
    # Infinite at an AUC of 1, which JSON cannot say.
    assert record["per_class"]["c"]["d_prime"] is None
    assert record["per_class"]["c"]["clips"] == 5


def test_table_is_aligned_and_safe_to_print():
    rows = [["a\x1b\nb", "0.5"], ["c", "12.25"]]
    table = results.format_table(["name", "mAP"], rows, right=["mAP"])
    assert table.splitlines() == [
        "name        mAP",
        "--------  -----",
        r"a\x1b\nb    0.5",
        "c         12.25",
    ]
