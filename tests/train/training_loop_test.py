import csv
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.record_index import RecordIndex
from data.record_reader import FAILED, POSITION
from data.user_error import UserError
from tests.train.small_shards import noise_clips, write_shards
from train import training_loop
from train.training_options import TrainingOptions


class _Line(keras.Model):
    """Fits y = w x by a noisy step with dropout: state in all the places."""

    def __init__(self):
        super().__init__()
        self.drop = keras.layers.Dropout(0.3)
        # In a list, into which TensorFlow's checkpoints do not look.
        self.blocks = [
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3),
        ]
        for block in self.blocks:
            block.build((None, 2))
        self.built = True
        self.optimizer = keras.optimizers.Adam(0.1)

    def train_step(self, batch):
        with tf.GradientTape() as tape:
            norm, dense = self.blocks
            y = dense(norm(self.drop(batch, training=True), training=True))
            loss = tf.reduce_mean((y - 1) ** 2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss, "first": batch[0, 0]}


def _dataset(step):
    def batch(k):
        noise = tf.random.stateless_uniform([4, 2], [1, k])
        health = {
            POSITION: 4 * k + tf.range(4, dtype=tf.int64),
            FAILED: tf.zeros([4], tf.int32),
        }
        return noise + tf.cast(k, tf.float32), health

    return tf.data.Dataset.range(step, 10**9).map(batch)


def _options(**changes):
    return TrainingOptions(
        **{"steps": 23, "checkpoint_every": 5, "log_every": 5, **changes}
    )


def _train(folder, at_step=None, make_dataset=_dataset, **changes):
    options = _options(**changes)
    training_loop.prepare(options)
    learner = _Line()
    folder = pathlib.Path(folder)
    shards = write_shards(folder / "shards", noise_clips(5, 30))
    index = RecordIndex.of(shards, ["train"])
    training_loop.train(learner, make_dataset, options, folder, index, at_step)
    state = learner.get_weights() + [
        np.asarray(v) for v in learner.optimizer.variables
    ]
    return state, (folder / "history.csv").read_text()


def _assert_same(first, second):
    for a, b in zip(first[0], second[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[1] == second[1]


class _Killed(Exception):
    pass


def _kill_at(step):
    def at_step(done):
        if done == step:
            raise _Killed

    return at_step


@pytest.mark.parametrize("killed_at", [1, 5, 12, 20, 22])
def test_killed_and_resumed_equals_uninterrupted(tmp_path, killed_at):
    expected = _train(tmp_path / "whole")
    with pytest.raises(_Killed):
        _train(tmp_path / "parts", _kill_at(killed_at))
    _assert_same(_train(tmp_path / "parts"), expected)


def test_interrupt_saves_where_it_is(tmp_path):
    def interrupt(done):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path, interrupt)
    assert training_loop.last_step(tmp_path) == 7
    state, _ = _train(tmp_path)
    for a, b in zip(state, _train(tmp_path / "whole")[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_damaged_checkpoint_falls_back_to_the_one_before(tmp_path):
    expected = _train(tmp_path / "whole")
    with pytest.raises(_Killed):
        _train(tmp_path / "parts", _kill_at(17))
    newest = tmp_path / "parts" / "checkpoints" / "ckpt-15"
    data = newest.with_name("ckpt-15.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:100])
    _assert_same(_train(tmp_path / "parts"), expected)


def test_no_readable_checkpoint_is_told(tmp_path):
    _train(tmp_path, steps=5)
    for file in (tmp_path / "checkpoints").glob("*.index"):
        file.write_bytes(b"")
    with pytest.raises(UserError, match="no checkpoint in .* can be read"):
        _train(tmp_path)


def test_history_has_means_of_its_steps(tmp_path):
    _train(tmp_path, steps=7)
    text = (tmp_path / "history.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert [int(row["step"]) for row in rows] == [5, 7]
    firsts = [float(b[0, 0]) for b, _ in _dataset(0).take(7)]
    assert float(rows[0]["first"]) == pytest.approx(np.mean(firsts[:5]))
    assert float(rows[1]["first"]) == pytest.approx(np.mean(firsts[5:]))


def test_steps_can_be_extended(tmp_path):
    _train(tmp_path, steps=10)
    expected = _train(tmp_path / "whole")
    _assert_same(_train(tmp_path, steps=23), expected)


def test_hook_sees_step_0_and_every_step_once(tmp_path):
    seen = []
    _train(tmp_path, seen.append, steps=3)
    _train(tmp_path, seen.append, steps=5)
    assert seen == [0, 1, 2, 3, 4, 5]


def test_non_finite_loss_ends_the_run_and_keeps_the_checkpoint(tmp_path):
    def bad_from_12(step):
        return _dataset(step).map(
            lambda b, health: (tf.where(b[0, 0] >= 11, b * np.nan, b), health)
        )

    with pytest.raises(UserError, match="loss is nan before step 15"):
        _train(tmp_path, make_dataset=bad_from_12)
    assert training_loop.last_step(tmp_path) == 10


def test_learning_rate_warms_up_and_decays():
    options = TrainingOptions(
        steps=100, warmup_steps=20, learning_rate=0.5, cosine_decay=True
    )
    rate = training_loop.make_optimizer(options)._learning_rate
    assert float(rate(0)) == 0
    assert float(rate(10)) == pytest.approx(0.25)
    assert float(rate(20)) == pytest.approx(0.5)
    assert float(rate(60)) == pytest.approx(0.25)
    assert float(rate(100)) == pytest.approx(0, abs=1e-6)
    held = training_loop.make_optimizer(
        TrainingOptions(steps=100, warmup_steps=20, learning_rate=0.5)
    )._learning_rate
    assert float(held(90)) == pytest.approx(0.5)
