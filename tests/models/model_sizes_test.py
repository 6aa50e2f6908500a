import re

import pytest

from models.cnn14.cnn14 import CNN14
from models.heads.linear_classifier import LinearClassifier
from tests.bench import model_sizes


def test_sizes_are_those_of_the_readme(capsys):
    model_sizes.main()
    rows = re.findall(
        r"([\d,]+) +([\d,]+) +([\d.,]+)$", capsys.readouterr()[0], re.M
    )
    assert rows == [
        ("9,067,009", "9,067,009", "7,294.93"),
        ("8,672,257", "8,672,257", "6,931.25"),
        ("75,755,968", "75,739,712", "1,999.66"),
        ("77,591,872", "77,575,616", "1,999.84"),
        ("80,769,871", "80,753,615", "2,007.48"),
    ]


def test_published_count_of_panns_follows_from_ours():
    """320000 samples at a hop of 320, centred: 1001 frames."""
    tagger = [CNN14(None, hidden_layer=True), LinearClassifier(2048, 527)]
    ours = model_sizes.multiply_adds(tagger, (1, 1001, 64))
    # Sine and cosine of 513 bins as kernels of 1024 samples.
    stft = 1001 * 2 * 513 * 1024
    places = [1001 * 64, 500 * 32, 250 * 16, 125 * 8, 62 * 4, 31 * 2]
    normed = 1001 * 64 + sum(
        2 * size * 64 * 2**block for block, size in enumerate(places)
    )
    assert 2 * (ours + stft + normed) == pytest.approx(42.220e9, abs=0.001e9)
