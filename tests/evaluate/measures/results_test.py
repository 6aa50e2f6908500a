import json
import types

import numpy as np

from evaluate.measures import results

ROW = types.SimpleNamespace(
    name="toy",
    kind="encoder",
    encoder="runs/toy",
    identity="1f",
    heard=["eval"],
)


def test_record_is_json_without_nan_and_infinity():
    record = results.result(
        ROW,
        {"mAP": np.float64(0.75), "d_prime": np.inf},
        {"mAP": (np.float64(0.5), 0.9), "d_prime": (1.0, np.nan)},
        {"a": {"AP": np.nan, "clips": np.int64(3)}},
        classifier="linear",
    )
    assert json.loads(json.dumps(record, allow_nan=False)) == {
        **vars(ROW),
        "classifier": "linear",
        "mAP": 0.75,
        "d_prime": None,
        "intervals": {"mAP": [0.5, 0.9], "d_prime": [1.0, None]},
        "per_class": {"a": {"AP": None, "clips": 3}},
    }
    assert results.classes_left_out(record) == ["a"]
    table = results.results_table([record]).splitlines()
    assert table[0].split()[2:] == ["classifier", "mAP", "d_prime"]
    assert table[2].split()[2:] == ["linear", "0.750", "[0.500,", "0.900]", "-"]


def test_table_is_aligned_and_safe_to_print():
    rows = [["a\x1b\nb", "0.5"], ["c", "12.25"]]
    table = results.format_table(["name", "mAP"], rows, right=["mAP"])
    assert table.splitlines() == [
        "name        mAP",
        "--------  -----",
        r"a\x1b\nb    0.5",
        "c         12.25",
    ]
