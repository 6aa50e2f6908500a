"""The networks and losses that are restated in PyTorch are ours."""

import numpy as np
import pytest

from models.embedding_model import EmbeddingModel
from models.losses.coincidence_loss import coincidence_loss
from models.losses.mixit import mixit_loss
from models.losses.nt_xent import nt_xent
from models.separation.separator import Separator
from tests import skips

torch = pytest.importorskip("torch", reason=skips.missing("torch"))

from tests.bench.peers import contrastive, separation  # noqa: E402
from tests.bench.peers.cnn14 import CNN14  # noqa: E402
from tests.bench.peers.log_mel import PlainLogMel  # noqa: E402
from tests.bench.peers.tdcn import Separator as TorchSeparator  # noqa: E402


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, shape).astype("f4")


def weights_of(model) -> dict[str, np.ndarray]:
    return {v.path: v.numpy() for v in model.trainable_variables}


def assert_close(theirs, ours, tolerance=1e-4):
    ours = np.asarray(ours)
    difference = np.abs(theirs.detach().numpy() - ours).max()
    assert difference <= tolerance * np.abs(ours).max()


@pytest.mark.parametrize("training", [False, True])
def test_log_mel_and_cnn14(training):
    model = EmbeddingModel(width=0.125, dropout=0.0)
    views = noise(4, model.window_samples)
    log_mel = model.frontend(views)
    theirs = PlainLogMel(model.frontend._mel_matrix)(torch.from_numpy(views))
    assert_close(theirs, log_mel)
    network = CNN14(0.125, dropout=0.0).train(training)
    network.load(weights_of(model))
    assert_close(network(theirs), model.encoder(log_mel, training=training))


def test_separator():
    separator = Separator(num_sources=2, name="separator")
    clips = noise(2, 4011)
    network = TorchSeparator(num_sources=2)
    network.load(weights_of(separator))
    assert_close(network(torch.from_numpy(clips)), separator(clips))


def test_losses():
    z = noise(2, 16, 8)
    z_a, z_b = torch.from_numpy(z)
    loss, _ = nt_xent(z[0], z[1], 0.1)
    assert_close(contrastive.nt_xent(z_a, z_b, 0.1), np.mean(loss))
    logits = noise(16, 16)
    loss, _ = coincidence_loss(logits)
    theirs = contrastive.coincidence(torch.from_numpy(logits))
    assert_close(theirs, np.mean(loss))


def test_mixit():
    mixtures, estimates = noise(3, 2, 400), 2 * noise(3, 4, 400)
    loss, _ = mixit_loss(mixtures, estimates)
    theirs = separation.mixit(*map(torch.from_numpy, (mixtures, estimates)))
    assert_close(theirs, loss)
