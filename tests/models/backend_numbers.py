"""What the models compute on the Keras backend of this process.

As a program: `python -m tests.models.backend_numbers weights.npz numbers.npz`
reads the weights of `networks()` and writes `numbers()`.
"""

import itertools
import sys
from unittest import mock

import keras
import numpy as np
from keras import ops

from models.cnn14 import cnn14
from models.cnn14.cnn14 import CNN14
from models.cnn14.convolution import tap_products
from models.embedding_model import EmbeddingModel
from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel
from models.heads import pair_logits
from models.heads.coincidence_head import CoincidenceHead
from models.heads.linear_classifier import LinearClassifier
from models.heads.similarity_head import SimilarityHead
from models.losses.capped_snr import capped_snr_loss
from models.losses.coincidence_loss import coincidence_loss
from models.losses.mixit import mixit_loss
from models.losses.nt_xent import nt_xent
from models.losses.triplet import triplet_loss
from models.metrics.alignment_uniformity import alignment, uniformity
from models.metrics.channel_activity import active_channels
from models.metrics.effective_rank import effective_rank
from models.separation.mixture_consistency import KINDS, mixture_consistency
from models.separation.separator import BASES, CONSISTENCIES, Separator
from models.views import view_choice
from models.views.spec_augment import SpecAugment
from models.views.triplet_positive import NUM_DRAWS, TripletPositive


class SeparationLoss(keras.Model):
    """Mean MixIT loss of two mixtures (batch, 2, samples)."""

    def __init__(self, basis: str):
        super().__init__()
        self.separator = _separator(basis, "predicted")
        self.built = True

    def call(self, mixtures):
        estimates = self.separator(ops.sum(mixtures, axis=1))
        return ops.mean(mixit_loss(mixtures, estimates)[0])


class JointLoss(keras.Model):
    """Both contrastive losses of patches (2, batch, frames, bands)."""

    def __init__(self):
        super().__init__()
        # So few units that hardly one is near the bend of its ReLU, where
        # rounding decides over the gradient.
        with mock.patch.object(cnn14, "NUM_BLOCKS", 3):
            self.encoder = CNN14(
                7, 1 / 64, True, mel_bands=32, dropout=0, hidden_dropout=0
            )
        self.similarity = SimilarityHead(7, 11, 5)
        self.coincidence = CoincidenceHead(7, 13)
        self.built = True

    def call(self, patches):
        batch = patches.shape[1]
        flat = ops.reshape(patches, (-1, *patches.shape[2:]))
        h = self.encoder(flat, training=True)
        z = self.similarity(h)
        similarity, _ = nt_xent(z[:batch], z[batch:], 0.3)
        logits = self.coincidence(h[:batch], h[batch:])
        coincidence, _ = coincidence_loss(logits)
        return ops.mean(similarity + coincidence)


def _separator(basis: str, consistency: str) -> Separator:
    return Separator(
        num_sources=3,
        basis=basis,
        num_coefficients=17,
        bottleneck=9,
        conv_channels=14,
        num_dilations=2,
        num_repeats=2,
        consistency=consistency,
    )


def networks() -> dict[str, keras.Model]:
    """Every network, small, with weights of its own."""
    separators = {
        f"separator, {names[0]} basis, {names[1]}": _separator(*names)
        # Each of both; the kinds of consistency are among the losses too.
        for names in zip(itertools.cycle(BASES), CONSISTENCIES, strict=False)
    }
    return separators | {
        "MixIT of learned basis": SeparationLoss("learned"),
        "MixIT of stft basis": SeparationLoss("stft"),
        # Without a hidden layer it is in the embeddings.
        "CNN14, hidden layer": CNN14(None, 1 / 16, hidden_layer=True),
        "joint loss": JointLoss(),
        "embedding": EmbeddingModel(embedding_dim=5, width=1 / 16),
        "embedding, panns": EmbeddingModel(
            8000, 5, 1 / 16, frontend="panns", window_hop_frames=30
        ),
        "similarity head": SimilarityHead(7, 11, 5),
        "coincidence head": CoincidenceHead(7, 13),
        "linear classifier": LinearClassifier(7, 3),
    }


def numbers(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values and gradients of all models, from fixed inputs.

    Args:
      weights: "network/number" -> array, for each network in the order of
        its weights.

    Returns:
      "part/name" -> value; gradients of one loss are
      "part/name, gradient number".
    """
    # On JAX random weights take a compilation for each shape.
    with mock.patch.object(
        keras.initializers.VarianceScaling, "__call__", _zeros
    ):
        named = networks()
    for name, network in named.items():
        count = len(network.weights)
        network.set_weights([weights[f"{name}/{i}"] for i in range(count)])
    parts = {
        "separation": _of_separators(named),
        "encoder": _of_encoders(named),
        "heads": _of_heads(named),
        "losses": _of_losses(),
        "metrics": _of_metrics(),
        "front ends": _of_front_ends(),
        "views": _of_views(),
    }
    return {
        f"{part}/{name}": ops.convert_to_numpy(value)
        for part, values in parts.items()
        for name, value in values.items()
    }


def _of_separators(named):
    # No hop divides 1003.
    waveform = _noise(0, 2, 1003)
    results = {
        name: _value(network, waveform)
        for name, network in named.items()
        if "separator" in name
    }
    for basis in BASES:
        name = f"MixIT of {basis} basis"
        results |= _of_weights(name, named[name], _noise(1, 2, 2, 1003))
    return results


def _of_encoders(named):
    # No cell of the poolings is filled by 71 frames.
    patches = _noise(2, 2, 71, 64)
    results = {"CNN14": _value(named["CNN14, hidden layer"], patches)}
    embedding = named["embedding"]
    results["embedding"] = _value(embedding, 0.1 * _noise(3, 2, 31003))
    results["short clip"] = _value(
        embedding.cut_windows, 0.1 * _noise(4, 2, 1003)
    )
    results["windows"] = _value(
        named["embedding, panns"].embed_windows, 0.1 * _noise(5, 2, 15001)
    )
    results["taps"] = _value(
        tap_products, _noise(16, 2, 3, 2, 5), _noise(17, 3, 3, 5, 4)
    )
    return results | _of_weights(
        "joint loss", named["joint loss"], _noise(6, 2, 3, 37, 32)
    )


def _of_heads(named):
    rows = _noise(7, 6, 7)
    results = {
        name: _value(named[name], rows)
        for name in (
            "similarity head",
            "linear classifier",
        )
    }
    results["coincidence head"] = _value(
        named["coincidence head"], rows[:4], rows[1:]
    )
    a, b, weights = _noise(12, 6, 11), _noise(13, 5, 11), _noise(14, 11)
    upstream = ops.convert_to_tensor(_noise(15, 6, 5))

    def of_pairs(*x):
        return ops.sum(pair_logits.pair_logits(*x) * upstream)

    results |= _of_inputs("pair logits", of_pairs, a, b, weights)
    # Two rows of 5 x 11 units at once.
    with mock.patch.multiple(pair_logits, _ONE_PIECE=0, _TILE=110):
        results |= _of_inputs("pair logits, looped", of_pairs, a, b, weights)
    return results


def _of_losses():
    results = {}
    z_a, z_b = _noise(10, 2, 6, 7)
    results["NT-Xent, correct"] = _value(
        lambda a, b: nt_xent(a, b, 0.2)[1], z_a, z_b
    )
    results |= _of_inputs(
        "NT-Xent", lambda a, b: ops.sum(nt_xent(a, b, 0.2)[0]), z_a, z_b
    )
    results["triplet, active"] = _value(
        lambda a, b: triplet_loss(a, b, 0.3)[1], z_a, z_b
    )
    results |= _of_inputs(
        "triplet", lambda a, b: ops.sum(triplet_loss(a, b, 0.3)[0]), z_a, z_b
    )
    logits = _noise(11, 5, 5)
    _, results["coincidence, accuracy"] = _value(coincidence_loss, logits)
    results |= _of_inputs(
        "coincidence", lambda x: ops.sum(coincidence_loss(x)[0]), logits
    )
    mixtures = _noise(16, 4, 2, 101)
    mixtures[1, 0] = 0
    for count in (2, 4, 8):
        estimates = _noise(count, 4, count, 101)
        estimates[2, 0] = 0
        estimates[3, 0] = mixtures[3, 0]
        name = f"MixIT, {count} estimates"
        results |= _of_inputs(
            name, lambda x: ops.sum(mixit_loss(mixtures, x)[0]), estimates
        )
        loss, matrix = _value(mixit_loss, mixtures, estimates)
        results |= {f"{name}, each": loss, f"{name}, matrix": matrix}
        results[f"{name}, least squares matrix"] = _value(
            lambda m, x: mixit_loss(m, x, search="least_squares")[1],
            mixtures,
            estimates,
        )
    results["capped SNR"] = _value(
        lambda m, x: capped_snr_loss(m, x, 20.0), mixtures, estimates[:, :2]
    )
    mixture = ops.convert_to_tensor(mixtures[:, 0])
    for kind in KINDS:
        results |= _of_inputs(
            f"mixture consistency, {kind}",
            lambda x, kind=kind: ops.sum(
                mixture_consistency(mixture, x, kind) ** 2
            ),
            estimates,
        )
    return results


def _of_metrics():
    z_a, z_b = _noise(30, 2, 9, 7)
    channels, mixture = _noise(31, 2, 3, 101), _noise(32, 2, 101)
    channels *= np.float32([[1], [1e-3], [0.1]])
    return {
        "alignment": _value(alignment, z_a, z_b),
        "uniformity": _value(uniformity, z_a),
        "effective rank": _value(effective_rank, z_a),
        "effective rank of equal rows": _value(
            effective_rank, np.ones_like(z_a)
        ),
        "active channels": _value(active_channels, channels, mixture),
    }


def _of_front_ends():
    results = {}
    waveform = _noise(17, 2, 4001)
    waveform[1, 1000:2500] = 0
    for layer in (LogMel(), PANNsLogMel()):
        name = type(layer).__name__
        results[name] = _value(layer, waveform)
        results |= _of_inputs(name, lambda x, f=layer: ops.sum(f(x)), waveform)
    return results


def _of_views():
    first, second = _uniform(20, 2, 101)
    augment = SpecAugment()
    draws = _uniform(21, 5, augment.num_draws)
    level = np.float32([[1], [1e-4], [0], [1e-2], [1]])
    view = ops.convert_to_tensor(level * _noise(22, 5, 101))
    mixture = ops.convert_to_tensor(_noise(24, 5, 101))
    starts = view_choice.crop_starts(first, second, 4000, 701, 1500)
    results = {
        "SpecAugment": _value(augment, _noise(23, 5, 96, 64), draws),
        "silence": _value(
            lambda x, m: view_choice.replace_silent(x, m, -60.0), view, mixture
        ),
        "processors": view_choice.choose(first, 3),
        "first starts": starts[0],
        "second starts": starts[1],
    }
    for frontend in (LogMel(), PANNsLogMel()):
        make_positive = TripletPositive(frontend)
        patches = _value(frontend, _noise(25, 23, 2103))
        results[f"triplet positives, {type(frontend).__name__}"] = _value(
            # Of all four ways.
            make_positive,
            patches,
            _value(frontend, _noise(26, 23, 2103)),
            _uniform(27, 23, NUM_DRAWS),
            ops.convert_to_tensor(_noise(28, *patches.shape)),
        )
    for comparison in view_choice.COMPARISONS:
        signals = view_choice.choose_signals(first, second, comparison, 4)
        results[f"{comparison}, first"] = signals[0]
        results[f"{comparison}, second"] = signals[1]
    return results


def _zeros(initializer, shape, dtype=None):
    return np.zeros(shape, dtype)


def _value(function, *inputs):
    """Of a network or another function of arrays."""
    if keras.backend.backend() == "jax":
        import jax

        # At once, not operation by operation.
        function = jax.jit(function)
    return function(*inputs)


def _noise(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def _uniform(seed, *shape):
    draws = np.random.default_rng(seed).random(shape, "float32")
    return ops.convert_to_tensor(draws)


class _Function(keras.layers.Layer):
    """A function of arrays, as a layer that has them for weights."""

    def __init__(self, function, arrays):
        super().__init__()
        self.function = function
        for array in arrays:
            self.add_weight(shape=array.shape)
        self.set_weights(arrays)
        self.built = True

    def call(self, inputs):
        # Tensors: custom gradients take no variables.
        return self.function(*(variable + 0.0 for variable in self.weights))


def _of_inputs(name, function, *arrays):
    """Value of a function of arrays and its gradient in each."""
    return _of_weights(name, _Function(function, arrays), np.zeros(1, "f4"))


def _of_weights(name, network, inputs):
    """Value of a loss, its gradient in each weight, updated statistics."""
    trainable = network.trainable_variables
    others = network.non_trainable_variables
    if keras.backend.backend() == "jax":
        import jax

        def loss(weights):
            statistics = [variable.value for variable in others]
            return network.stateless_call(weights, statistics, inputs)

        differentiate = jax.jit(jax.value_and_grad(loss, has_aux=True))
        (value, updated), gradients = differentiate(
            [variable.value for variable in trainable]
        )
        for variable, array in zip(others, updated, strict=True):
            variable.assign(array)
    elif keras.backend.backend() == "torch":
        value = network(inputs)
        value.backward()
        gradients = [variable.value.grad for variable in trainable]
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = network(inputs)
        gradients = tape.gradient(value, [v.value for v in trainable])
    results = {f"{name}, value": value}
    for i, gradient in enumerate(gradients):
        results[f"{name}, gradient {i}"] = gradient
    for i, variable in enumerate(others):
        results[f"{name}, statistics {i}"] = variable.value
    return results


if __name__ == "__main__":
    with np.load(sys.argv[1]) as archive:
        stored = dict(archive)
    np.savez(sys.argv[2], **numbers(stored))
