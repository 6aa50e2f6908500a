import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evaluate.probing import label_draws, model_selection
from evaluate.probing.linear_classifier import LinearClassifier, LinearSettings
from evaluate.probing.probe import GRIDS, LINEAR, SHALLOW, probe
from evaluate.probing.shallow_classifier import (
    ShallowClassifier,
    ShallowSettings,
)
from models.metrics.average_precision import (
    average_precision,
    mean_over_classes,
)


def toy(seed, separation, clips=120, classes=3, dim=5, single=False):
    """Embeddings are noise, moved along an axis for each label."""
    random = np.random.default_rng(seed)
    labels = random.uniform(size=(clips, classes)) < 0.4
    if single:
        labels = np.eye(classes, dtype=bool)[random.integers(0, classes, clips)]
    embeddings = random.normal(size=(clips, dim))
    embeddings[:, :classes] += separation * labels
    return embeddings.astype("f4"), labels.astype("u1")


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_linear_is_scikit_learns_logistic_regression(C):
    x, labels = toy(0, 1.0)
    other = toy(1, 1.0)[0]
    model = LinearClassifier(is_single_label=False)
    [(_, logits)] = model.scores_along([LinearSettings(C)], x, labels, other)
    for k in range(3):
        peer = LogisticRegression(C=C, tol=1e-8).fit(x, labels[:, k])
        wanted = peer.decision_function(other)
        np.testing.assert_allclose(logits[:, k], wanted, atol=5e-3)


@pytest.mark.parametrize("C", [0.01, 1.0])
def test_single_label_is_a_softmax(C):
    x, labels = toy(0, 1.0, single=True)
    other = toy(1, 1.0)[0]
    model = LinearClassifier(is_single_label=True)
    grid = [LinearSettings(C), LinearSettings(C / 10)]
    found = dict(model.scores_along(grid, x, labels, other))
    # One that starts where another ended comes to the same place.
    assert [settings.C for settings in found] == [C / 10, C]
    peer = LogisticRegression(C=C, tol=1e-8).fit(x, labels.argmax(1))
    wanted = peer.predict_proba(other)
    np.testing.assert_allclose(found[grid[0]], wanted, atol=2e-3)


def test_classes_of_no_clip_and_of_all_are_scored_by_their_frequency():
    x, labels = toy(0, 1.0)
    labels[:, 1], labels[:, 2] = 0, 1
    for model in (LinearClassifier(False), ShallowClassifier(False, 0)):
        settings = (
            LinearSettings(1.0)
            if isinstance(model, LinearClassifier)
            else ShallowSettings(True, 8, 0.1, 5)
        )
        [(_, logits)] = model.scores_along([settings], x, labels, x)
        assert np.isfinite(logits).all()
        assert logits[:, 1].max() < -2 and logits[:, 2].min() > 2


def numerical(function, array, step=1e-3):
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        saved = array[place]
        values = []
        for moved in (saved + step, saved - step):
            array[place] = moved
            values.append(function())
        array[place] = saved
        gradient[place] = (values[0] - values[1]) / (2 * step)
    return gradient


@pytest.mark.parametrize("is_single_label", [False, True])
def test_gradients_of_the_shallow_classifier(is_single_label):
    x, labels = toy(0, 1.0, clips=7, single=is_single_label)
    random = np.random.default_rng(0)
    model = ShallowClassifier(is_single_label, 0)
    x, labels = x.astype("f8"), labels.astype("f8")
    network = [
        random.normal(size=shape) for shape in [(5, 4), (4,), (4, 3), (3,)]
    ]

    def loss():
        hidden = np.maximum(x @ network[0] + network[1], 0)
        exponents = np.exp(hidden @ network[2] + network[3])
        if is_single_label:
            p = exponents / exponents.sum(axis=1, keepdims=True)
            return -np.sum(labels * np.log(p)) / len(x)
        p = exponents / (1 + exponents)
        each = labels * np.log(p) + (1 - labels) * np.log(1 - p)
        return -np.sum(each) / len(x)

    for array, gradient in zip(
        network, model._gradients(network, x, labels), strict=True
    ):
        np.testing.assert_allclose(gradient, numerical(loss, array), atol=1e-4)


def test_epochs_are_stops_of_one_training():
    x, labels = toy(0, 1.0)
    model = ShallowClassifier(False, 3)
    grid = [ShallowSettings(True, 16, 0.1, e) for e in (2, 5)]
    both = dict(model.scores_along(grid, x, labels, x))
    for settings in grid:
        [(found, scores)] = model.scores_along([settings], x, labels, x)
        assert found == settings
        np.testing.assert_array_equal(scores, both[settings])
    assert not np.array_equal(both[grid[0]], both[grid[1]])
    [(_, other)] = ShallowClassifier(False, 4).scores_along(
        grid[:1], x, labels, x
    )
    assert not np.array_equal(other, both[grid[0]])


def test_large_sets_have_fewer_stops():
    x, labels = toy(0, 1.0, clips=20000)
    grid = [ShallowSettings(False, 2, 0.1, e) for e in (5, 10, 40)]
    model = ShallowClassifier(False, 0)
    found = [s.epochs for s, _ in model.scores_along(grid, x, labels, x[:3])]
    # 79 steps a pass, 1,000 at most.
    assert found == [5, 10]


@pytest.mark.parametrize("name", [SHALLOW, LINEAR])
@pytest.mark.parametrize("single", [False, True])
def test_separable_embeddings_reach_one(name, single):
    (x, labels), (others, wanted) = (
        toy(s, 12.0, single=single) for s in (0, 1)
    )
    found = probe(name, single, x, labels, np.arange(120), others, 1.0, seed=0)
    assert found.clips == 120
    assert set(found.settings) == set(GRIDS[name][0]._fields)
    value = average_precision(wanted, found.scores)
    assert mean_over_classes(value) > 0.99


@pytest.mark.parametrize("name", [SHALLOW, LINEAR])
def test_embeddings_without_information_stay_at_the_prior(name):
    (x, labels), (others, wanted) = toy(0, 0.0), toy(1, 0.0, clips=600)
    found = probe(name, False, x, labels, np.arange(120), others, 1.0, seed=0)
    value = mean_over_classes(average_precision(wanted, found.scores))
    assert value == pytest.approx(wanted.mean(), abs=0.06)


@pytest.mark.parametrize("name", [SHALLOW, LINEAR])
def test_scale_and_offset_of_a_representation_do_not_matter(name):
    (x, labels), (others, _) = toy(0, 1.0), toy(1, 1.0)
    scores = []
    for scale, offset in ((1.0, 0.0), (1024.0, 0.0), (1.0, 1.0)):
        rows, held_out = (scale * part + offset for part in (x, others))
        # A constant dimension is ignored, however it is rounded.
        rows, held_out = (np.pad(p, [(0, 0), (0, 1)]) for p in (rows, held_out))
        rows[:, -1], held_out[:, -1] = 7.1, 7.1000004
        [(_, of_scale)] = model_selection.standardised_scores(
            LinearClassifier(False)
            if name == LINEAR
            else ShallowClassifier(False, 0),
            [LinearSettings(0.1) if name == LINEAR else GRIDS[name][0]],
            rows,
            labels,
            held_out,
        )
        scores.append(of_scale)
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    np.testing.assert_allclose(scores[0], scores[2], atol=1e-2)


def test_settings_are_chosen_without_a_look_at_what_is_held_out():
    """The choice follows the training clips, whatever is scored."""
    (x, labels), (others, _) = toy(0, 1.0), toy(1, 1.0)
    found = [
        probe(LINEAR, False, x, labels, np.arange(120), rows, 1.0, seed=0)
        for rows in (others, -others)
    ]
    assert found[0].settings == found[1].settings


def test_settings_are_chosen_on_clips_not_trained_on(monkeypatch):
    class Spy:
        sizes = []

        def scores_along(self, grid, train, labels, held_out):
            self.sizes.append([*map(len, (train, labels, held_out))])
            for settings in grid:
                yield settings, held_out[:, :3]

    folds = [(np.arange(0, 80), np.arange(80, 120))]
    monkeypatch.setattr(
        model_selection, "recording_folds", lambda *arguments: folds
    )
    model_selection.choose(Spy(), GRIDS[LINEAR], *toy(0, 1.0), None, 0)
    assert Spy.sizes == [[80, 80, 40]]


def test_settings_are_chosen_by_recording_on_the_clips_drawn(monkeypatch):
    x, labels = toy(0, 1.0)
    recordings = 7 + np.arange(120) // 2
    seen = {}

    def choose(model, grid, train, labels, recordings, seed):
        seen.update(train=train, labels=labels, recordings=recordings)
        return grid[0]

    monkeypatch.setattr(model_selection, "choose", choose)
    found = probe(LINEAR, False, x, labels, recordings, x, 0.5, seed=3)
    drawn = label_draws.draw(labels, 0.5, 3)
    assert found.clips == len(drawn) == 60
    np.testing.assert_array_equal(seen["train"], x[drawn])
    np.testing.assert_array_equal(seen["labels"], labels[drawn])
    numbers = np.unique(recordings[drawn], return_inverse=True)[1]
    np.testing.assert_array_equal(seen["recordings"], numbers)


class _OfKnownQuality:
    """Scores the first label right, with as much noise as the setting says."""

    def scores_along(self, grid, train, labels, held_out):
        for settings in sorted(grid):
            noise = np.random.default_rng(0).normal(size=held_out.shape)
            yield settings, held_out + settings.C * noise


def test_the_best_over_folds_is_chosen_and_the_first_of_equals():
    random = np.random.default_rng(0)
    labels = random.random((90, 1)) < 0.3
    x = labels + 0.01 * random.normal(size=(90, 1))
    grid = [LinearSettings(c) for c in (10.0, 0.001, 0.0001, 3.0)]
    for seed in range(3):
        chosen = model_selection.choose(
            _OfKnownQuality(), grid, x, labels, np.arange(90), seed
        )
        # This one and 0.001 are perfect.
        assert chosen.C == 0.0001
