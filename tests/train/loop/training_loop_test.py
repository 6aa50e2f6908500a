import csv
import dataclasses
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import Stopped, UserError
from data.shards import example_parser, example_schema
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION, shuffled_examples
from tests.train.small_shards import noise_clips, write_shards
from train.loop import training_loop
from train.loop.checkpoints import Checkpoints
from train.loop.guarded_update import GuardedUpdate
from train.loop.last_step import last_step
from train.loop.optimizers import make_optimizer
from train.loop.training_options import TrainingOptions

OPTIONS = TrainingOptions(
    steps=23, checkpoint_every=5, log_every=5, learning_rate=0.1, batch_size=4
)


class _Line(keras.Model):
    """Fits y = w x by a noisy step with dropout: state in all the places."""

    def __init__(self):
        super().__init__()
        self.drop = keras.layers.Dropout(0.3)
        # In a list, into which TensorFlow's checkpoints do not look.
        self.blocks = [keras.layers.BatchNormalization(), keras.layers.Dense(3)]
        for block in self.blocks:
            block.build((None, 2))
        self.built = True
        self.max_gradient_norm = 0.0

    def train_step(self, batch):
        update = GuardedUpdate(self)
        with tf.GradientTape() as tape:
            norm, dense = self.blocks
            y = dense(norm(self.drop(batch, training=True), training=True))
            loss = tf.reduce_mean((y - 1) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        return update.apply(gradients, {"loss": loss, "first": batch[0, 0]})

    def diagnostics(self, batch):
        return {"last": batch[-1, -1]}


def _dataset(step, context=None):
    def batch(k):
        noise = tf.random.stateless_uniform([4, 2], [1, k])
        read_status = {
            POSITION: 4 * k + tf.range(4, dtype=tf.int64),
            FAILED: tf.zeros([4], tf.int32),
        }
        return noise + tf.cast(k, tf.float32), read_status

    return tf.data.Dataset.range(step, 10**9).map(batch)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    shards = write_shards(tmp_path_factory.mktemp("s"), noise_clips(5, 30))
    return RecordIndex.of(shards, ["train"])


@pytest.fixture(scope="module")
def train(index):
    def train(folder, at_step=(), make_dataset=_dataset, **changes):
        """All state at the end, and the text of the history."""
        options = dataclasses.replace(OPTIONS, **changes)
        strategy = training_loop.prepare(options)
        learner = _Line()
        learner.optimizer = make_optimizer(options, learner)
        folder.mkdir(exist_ok=True)
        training_loop.train(
            strategy, learner, make_dataset, options, folder, index, at_step
        )
        state = learner.get_weights()
        state += [np.asarray(v) for v in learner.optimizer.variables]
        history = folder / "history.csv"
        return state, history.read_text() if history.exists() else ""

    return train


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    return train(tmp_path_factory.mktemp("whole"))


def _assert_same_state(first, second):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a, b)


def _assert_same(first, second):
    _assert_same_state(first, second)
    assert first[1] == second[1]


class _Killed(Exception):
    pass


def _kill_at(step):
    def at_step(done):
        if done == step:
            raise _Killed

    return [at_step]


def test_killed_and_resumed_equals_uninterrupted(train, whole, tmp_path):
    # Before the first checkpoint, at one, and between two.
    for killed_at in (1, 10, 17):
        with pytest.raises(_Killed):
            train(tmp_path, _kill_at(killed_at))
    # A damaged one is passed over.
    newest = tmp_path / "checkpoints" / "ckpt-15.data-00000-of-00001"
    newest.write_bytes(newest.read_bytes()[:100])
    _assert_same(train(tmp_path), whole)
    for file in newest.parent.glob("*.index"):
        file.write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint in .* can be read"):
        train(tmp_path)


class _Layers(keras.Model):
    def __init__(self, *units):
        super().__init__()
        self.blocks = [keras.layers.Dense(number) for number in units]
        for block in self.blocks:
            block.build((None, 2))
        self.built = True
        self.optimizer = make_optimizer(OPTIONS, self)


# Another shape, more layers and fewer.
@pytest.mark.parametrize("units", [(4,), (3, 3), ()])
def test_checkpoints_of_another_network_are_told(units, tmp_path):
    Checkpoints(_Layers(3), OPTIONS).save(tmp_path, 5)
    assert Checkpoints(_Layers(3), OPTIONS).restore(tmp_path) == 5
    told = "no checkpoint in .* can be read, or is of the network of these"
    with pytest.raises(UserError, match=told) as caught:
        Checkpoints(_Layers(*units), OPTIONS).restore(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "checkpoints" / "checkpoint").write_bytes(b"\xff")
    with pytest.raises(UserError, match="checkpoints/checkpoint is damaged"):
        Checkpoints(_Layers(3), OPTIONS).restore(tmp_path)


def test_a_signal_saves_where_it_is(train, whole, tmp_path):
    def interrupt(done):
        if done == 7:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped, match="SIGTERM; step 7 is saved"):
        train(tmp_path, [interrupt])
    assert signal.getsignal(signal.SIGTERM) == before
    assert last_step(tmp_path) == 7
    _assert_same_state(train(tmp_path), whole)


def test_history_has_means_of_its_steps(whole):
    rows = list(csv.DictReader(whole[1].splitlines()))
    assert [int(row["step"]) for row in rows] == [5, 10, 15, 20, 23]
    firsts = [float(b[0, 0]) for b, _ in _dataset(0).take(23)]
    assert float(rows[0]["first"]) == pytest.approx(np.mean(firsts[:5]))
    assert float(rows[4]["first"]) == pytest.approx(np.mean(firsts[20:]))
    assert float(rows[4]["last"]) == [*_dataset(22).take(1)][0][0][-1, -1]


def test_steps_can_be_extended_and_hooks_see_each_once(train, whole, tmp_path):
    seen = []
    for steps in (0, 10):
        train(tmp_path, [seen.append], steps=steps)
    assert seen == [0, *range(11)]
    _assert_same(train(tmp_path, [seen.append]), whole)
    assert seen == [0, *range(24)]


def _bad_at(*steps):
    """A dataset with NaN in the batches of some steps, counted from 1."""

    def make_dataset(start, context=None):
        def spoil(k, element):
            batch, read_status = element
            bad = tf.reduce_any(k + 1 == tf.constant(steps, tf.int64))
            return tf.where(bad, batch * np.nan, batch), read_status

        numbers = tf.data.Dataset.range(start, 10**9)
        return tf.data.Dataset.zip(numbers, _dataset(start)).map(spoil)

    return make_dataset


def test_a_step_that_is_not_finite_is_listed_with_its_clips(
    train, index, tmp_path
):
    _, history = train(tmp_path, make_dataset=_bad_at(2), steps=2)
    [row] = csv.DictReader(history.splitlines())
    assert row["skipped"] == "1" and np.isfinite(float(row["loss"]))

    def to_id(position, record):
        return example_parser.parse(record)[example_schema.CLIP_ID]

    stream = shuffled_examples(index, to_id, OPTIONS.seed, 4)
    clips = [clip.numpy().decode() for clip, _ in stream.take(4)]
    listed = (tmp_path / "skipped_steps.csv").read_text().splitlines()
    assert listed == ["step,clip_ids", f"2,{' '.join(clips)}"]


def test_too_many_skipped_steps_end_the_run(train, tmp_path):
    """With a sound checkpoint; killed and resumed it ends as well."""
    bad = _bad_at(*range(11, 24))
    for _ in range(2):
        with pytest.raises(UserError, match="of the last .* steps gave"):
            train(tmp_path, make_dataset=bad, max_skipped_steps=4)
        assert last_step(tmp_path) == 10
    weights = train(tmp_path, steps=10)[0]
    assert all(np.isfinite(w).all() for w in weights)


def test_checkpoints_are_kept_by_policy(train, tmp_path):
    train(tmp_path, keep_checkpoints=3)
    kept = sorted((tmp_path / "checkpoints").glob("*.index"))
    assert [f.stem for f in kept] == ["ckpt-15", "ckpt-20", "ckpt-23"]
    train(
        tmp_path / "hours", keep_checkpoints=1, keep_checkpoint_every_hours=1e-9
    )
    assert len(list((tmp_path / "hours/checkpoints").glob("*.index"))) == 5
