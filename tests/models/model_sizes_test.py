import numpy as np
import pytest

from models.cnn14.cnn14 import CNN14
from models.heads.linear_classifier import LinearClassifier
from models.separation.separator import Separator
from tests.bench import model_sizes

SIZES = {
    "TDCN++, M = 8, as in the reference": (9_067_009, 9_067_009, 7_294.93),
    "TDCN++, M = 2": (8_672_257, 8_672_257, 6_931.25),
    'CNN14, d = 128: "~75M" on the slides': (75_755_968, 75_739_712, 1_999.66),
    "CNN14, d = 1024": (77_591_872, 77_575_616, 1_999.84),
    "CNN14, as in PANNs": (80_769_871, 80_753_615, 2_007.48),
}


@pytest.mark.parametrize(
    "title",
    [
        title
        # Of M = 2 see the next test; d = 1024 is in no README.
        if title not in ("TDCN++, M = 2", "CNN14, d = 1024")
        else pytest.param(title, marks=pytest.mark.long)
        for title in model_sizes.PUBLISHED
    ],
)
def test_sizes_are_those_of_the_readme(title):
    found = model_sizes.sizes(model_sizes.PUBLISHED[title]())
    assert found == SIZES[title]


def test_fewer_channels_save_what_is_no_block():
    """So that one block is enough to tell."""
    many, few = (
        model_sizes.sizes([Separator(m, num_dilations=1, num_repeats=1)])
        for m in (8, 2)
    )
    expected = np.subtract(*list(SIZES.values())[:2])
    np.testing.assert_allclose(np.subtract(many, few), expected, atol=0.011)


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
