"""What `make bench` prints, when a row has no figures, and who takes turns."""

import sys

import numpy as np
import pytest

from tests.bench import compare, growth, rows, table
from tests.bench.turns import Turns, take_rounds


def figures(seconds, megabytes=10.0):
    return {
        "seconds": seconds,
        "fastest": 0.9 * seconds,
        "slowest": 1.2 * seconds,
        "rounds": 5,
        "megabytes": megabytes,
    }


MEASURED = {
    "machine": {
        "processor": "2 cores of X (avx2 fma)",
        "description": "2 cores of X (avx2 fma); Python 3.11",
        "gflops": 100.0,
        "gigabytes_per_s": 12.0,
    },
    "quick": False,
    "rows": [
        {
            "title": "a step",
            "goal_s": None,
            "ours": figures(0.2),
            # 2 x 5e9 operations in 0.2 s: half of the peak.
            "multiply_adds": 5e9,
            "peers": [
                {"title": "slow", "goal": 2.0, "ratio": 2.5, **figures(0.5)},
                {"title": "fast", "goal": 1.5, "ratio": 1.2, **figures(0.24)},
            ],
            "left_out": "compiled: there is no g++",
        },
        {
            "title": "a program",
            "goal_s": 8.0,
            "ours": figures(9.0),
            "multiply_adds": 0,
            "peers": [],
        },
        {"title": "a wrong one", "goal_s": None, "error": "it differs"},
    ],
}


def test_a_peer_has_its_ratio_beside_the_goal():
    slow, fast, *_ = table.cells(MEASURED["rows"][0], MEASURED["machine"])
    assert slow == [
        *("a step", "slow", "200.0", "180.0..240.0", "500.0", "450.0..600.0"),
        *("2.50", "2", "yes", "10/10"),
    ]
    assert fast[-4:] == ["1.20", "1.5", "no", "10/10"]


def test_share_of_the_peak_and_what_was_left_out():
    *_, share, left_out = table.cells(MEASURED["rows"][0], MEASURED["machine"])
    assert share[1] == "(GFLOP/s: 50, 50% of the peak)"
    assert "there is no g++" in left_out[1]


def test_a_goal_in_seconds_and_an_error():
    [program] = table.cells(MEASURED["rows"][1], MEASURED["machine"])
    assert program[-3:] == ["8000", "no", ""]
    [error] = table.cells(MEASURED["rows"][2], MEASURED["machine"])
    assert error == ["a wrong one", "error: it differs"]


def test_text_and_markdown_have_the_machine_and_every_row():
    text, markdown = table.head(MEASURED), table.markdown(MEASURED)
    for row in MEASURED["rows"]:
        text += table.lines(row, MEASURED["machine"])
    for found in text, markdown:
        assert "2 cores of X (avx2 fma)" in found[0]
        for row in MEASURED["rows"]:
            assert any(row["title"] in line for line in found)
    # A title once as text, in every line of Markdown.
    assert sum("a step" in line for line in text) == 1
    assert {line.count("|") for line in markdown[3:]} == {11}


@pytest.mark.parametrize("other", [1.001, np.nan, np.zeros(2)])
def test_another_answer_is_an_error(other):
    with pytest.raises(AssertionError, match="loss of torch"):
        compare.check_same(
            {"loss": np.float32(1)},
            {"loss": np.asarray(other, np.float32)},
            1e-4,
            "torch",
        )
    compare.check_same(
        {"loss": np.float32(1)}, {"loss": np.float32(1.00001)}, 1e-4, "torch"
    )


def test_titles_are_different():
    titles = [row.title for row in rows.ROWS]
    assert len({*titles}) == len(titles)


@pytest.mark.parametrize(
    "times, told",
    [
        ([5, 1, 2, 4], "linear (size^1.00)"),
        ([1, 4, 16, 64], "quadratic (size^2.00)"),
        ([5, 1, 1, 1], "constant (size^0.00)"),
        ([5, 1, 8**0.5, 8], "between linear and quadratic (size^1.50)"),
    ],
)
def test_growth_is_named_by_the_exponent_of_the_larger_sizes(times, told):
    found = growth.growth([1, 2, 4, 8], times)
    assert found.startswith(told)


def ours(target: str, folder, **arguments) -> Turns:
    target = f"tests.bench.ours.{target}"
    return Turns(sys.executable, target, arguments, folder, "ours", turn_s=0.0)


def test_a_process_works_when_it_is_asked_to(tmp_path):
    turns = ours("peak:matrix_product", tmp_path, size=8)
    assert turns.seconds == [] and turns.answer() == {}
    assert "numpy" in turns.ready["versions"]
    take_rounds([turns], 3)
    turns.end()
    assert turns.figures()["rounds"] == 3
    assert min(turns.seconds) > 0


def test_a_process_that_ends_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="peak:no_such has ended: .*no_such"):
        ours("peak:no_such", tmp_path)


class Slow:
    """Turns that are said to take long."""

    def __init__(self):
        self.seconds = []

    def take(self):
        self.seconds.append(60.0)


def test_slow_turns_are_taken_less_often():
    slow = Slow()
    take_rounds([slow], 5, slow_rounds=2)
    assert len(slow.seconds) == 2
    take_rounds([slow], 4)
    assert len(slow.seconds) == 6
