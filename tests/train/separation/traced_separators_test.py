import numpy as np

from models.separation.separator import Separator
from train.separation.traced_separators import TracedSeparators

SIZES = {
    "basis": "stft",
    "bottleneck": 4,
    "conv_channels": 6,
    "num_dilations": 2,
    "num_repeats": 1,
}


def test_each_gives_what_it_gives_alone_whatever_shares_its_trace():
    run = TracedSeparators()
    a, b, frozen = (Separator(**SIZES) for _ in range(3))
    frozen.trainable = False
    other = Separator(**SIZES | {"num_sources": 3})
    rng = np.random.default_rng(0)
    for samples in (4000, 5000):
        waveforms = rng.normal(0, 0.1, (2, samples)).astype("f4")
        for separator in (a, b, other, frozen, a):
            np.testing.assert_allclose(
                run(separator, waveforms), separator(waveforms), atol=1e-6
            )


def test_weights_that_are_set_later_count():
    run, separator = TracedSeparators(), Separator(**SIZES)
    waveforms = np.random.default_rng(0).normal(0, 0.1, (1, 4000)).astype("f4")
    before = run(separator, waveforms)
    separator.mask_head.kernel.assign(separator.mask_head.kernel * 3.0)
    after = run(separator, waveforms)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, separator(waveforms), atol=1e-6)


def test_one_architecture_is_traced_once(monkeypatch):
    run, calls = TracedSeparators(), []
    monkeypatch.setattr(
        Separator,
        "call",
        lambda self, waveform: (calls.append(self), waveform[:, None])[1],
    )
    for separator in (Separator(**SIZES), Separator(**SIZES)):
        for samples in (4000, 5000):
            run(separator, np.zeros((1, samples), "f4"))
    assert len(calls) == 1
