import numpy as np
import pytest

from data.run.errors import UserError
from evaluate.embeddings.baselines import make_baselines
from evaluate.embeddings.encoders import load_encoders
from tests.evaluate.toy_runs import write_toy_run

BASELINES = ["untrained", "log_mel_statistics"]


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baselines")
    for name, seed, dim in (("a", 0, 11), ("b", 1, 11), ("c", 2, 13)):
        write_toy_run(folder / name, folder, seed, embedding_dim=dim)
    return load_encoders([str(folder / name) for name in "abc"])


def windows_of(encoder, count=3):
    random = np.random.default_rng(0)
    shape = (count, encoder.model.window_samples)
    return random.normal(0, 0.1, shape).astype(np.float32)


def test_untrained_has_the_shape_but_not_the_weights(encoders):
    [baseline] = make_baselines(["untrained"], encoders[:1], seed=3)
    windows = windows_of(baseline)
    vectors = baseline.encode(windows)
    assert vectors.shape == encoders[0].encode(windows).shape == (3, 11)
    assert np.abs(vectors - encoders[0].encode(windows)).max() > 0.1
    [again] = make_baselines(["untrained"], encoders[:1], seed=3)
    np.testing.assert_array_equal(vectors, again.encode(windows))
    [other] = make_baselines(["untrained"], encoders[:1], seed=4)
    assert np.abs(vectors - other.encode(windows)).max() > 1e-3
    assert other.identity != again.identity == baseline.identity


def test_encoders_of_one_shape_share_a_row(encoders):
    rows = make_baselines(BASELINES, encoders[:2], seed=0)
    assert [row.name for row in rows] == BASELINES
    rows = make_baselines(BASELINES, encoders, seed=0)
    assert [row.name for row in rows] == [
        "untrained (a)",
        "untrained (c)",
        "log_mel_statistics",
    ]
    assert [row.encoder for row in rows] == [None, None, None]


def test_refuses_an_unknown_baseline(encoders):
    with pytest.raises(UserError, match="no 'panns': it knows untrained, log"):
        make_baselines(["panns"], encoders, seed=0)
