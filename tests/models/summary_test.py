import pathlib
import re
import subprocess
import sys

import pytest

from models.cnn14.cnn14 import CNN14
from models.heads.linear_classifier import LinearClassifier
from models.multiply_adds import layer_calls

ROOT = pathlib.Path(__file__).parents[2]


def _columns(line: str) -> list[str]:
    return re.split(" {2,}", line)


@pytest.fixture(scope="module")
def printed():
    result = subprocess.run(
        [sys.executable, "-m", "models.summary"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_tables_have_the_totals_of_the_networks(printed):
    totals = re.findall(r"^total +(\S+) +(\S+)$", printed, re.MULTILINE)
    assert totals == [
        ("9,067,009", "7,294.88"),
        ("8,672,257", "6,931.20"),
        ("75,755,968", "1,999.66"),
        ("77,591,872", "1,999.84"),
        ("80,769,871", "2,007.48"),
    ]
    trainable = re.findall(r"^trainable +(\S+)$", printed, re.MULTILINE)
    assert trainable == [
        "9,067,009",
        "8,672,257",
        "75,739,712",
        "77,575,616",
        "80,753,615",
    ]


def test_rows_add_up_to_the_totals(printed):
    tables = re.findall(r"^layer .*\n((?:.+\n)+?)trainable", printed, re.M)
    assert len(tables) == 5
    for table in tables:
        *rows, total = [_columns(line) for line in table.splitlines()]
        parameters = [int(row[-2].replace(",", "")) for row in (*rows, total)]
        assert sum(parameters[:-1]) == parameters[-1]
        millions = [float(row[-1].replace(",", "")) for row in (*rows, total)]
        assert sum(millions[:-1]) == pytest.approx(millions[-1], abs=0.05)


def test_blocks_of_one_size_make_one_row(printed):
    table = printed.split("M = 8")[1].split("\n\n")[0].splitlines()[1:]
    assert _columns(table[3]) == [
        "block_0 to block_31",
        "7999 x 256",
        "8,454,400",
        "6,749.36",
    ]
    assert len(table) == 9


def test_published_count_of_panns_follows_from_ours(printed):
    """320000 samples at a hop of 320, centred: 1001 frames."""
    encoder = CNN14(None, hidden_layer=True)
    classifier = LinearClassifier(2048, 527)
    calls = layer_calls(lambda x: classifier(encoder(x)), (1, 1001, 64))
    ours = sum(call.multiply_adds for call in calls if call.depth == 0)
    # Sine and cosine of 513 bins as kernels of 1024 samples.
    stft = 1001 * 2 * 513 * 1024
    places = [1001 * 64, 500 * 32, 250 * 16, 125 * 8, 62 * 4, 31 * 2]
    normed = 1001 * 64 + sum(
        2 * size * 64 * 2**block for block, size in enumerate(places)
    )
    assert 2 * (ours + stft + normed) == pytest.approx(42.220e9, abs=0.001e9)
    assert "42.22e9" in printed
