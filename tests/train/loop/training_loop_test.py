import csv
import os
import pathlib
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import Stopped, UserError
from data.shards import example_schema
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION, shuffled_examples
from tests.train.small_shards import noise_clips, write_shards
from train.loop import checkpoints, training_loop
from train.loop.guarded_update import GuardedUpdate
from train.loop.optimizers import make_optimizer
from train.loop.training_options import TrainingOptions


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


def _options(**changes):
    return TrainingOptions(
        **{
            "steps": 23,
            "checkpoint_every": 5,
            "log_every": 5,
            "learning_rate": 0.1,
            "batch_size": 4,
            **changes,
        }
    )


def _train(folder, at_step=None, make_dataset=_dataset, **changes):
    options = _options(**changes)
    strategy = training_loop.prepare(options)
    learner = _Line()
    learner.optimizer = make_optimizer(options, learner)
    folder = pathlib.Path(folder)
    shards = write_shards(folder / "shards", noise_clips(5, 30))
    index = RecordIndex.of(shards, ["train"])
    training_loop.train(
        strategy,
        learner,
        make_dataset,
        options,
        folder,
        index,
        [at_step] if at_step else [],
    )
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_where_it_is(tmp_path, number):
    def interrupt(done):
        if done == 7:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(Stopped, match=f"{number.name}; step 7 is saved"):
        _train(tmp_path, interrupt)
    assert signal.getsignal(number) == before
    assert checkpoints.last_step(tmp_path) == 7
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


def test_no_step_leaves_the_hook_of_step_0(tmp_path):
    seen = []
    _train(tmp_path, seen.append, steps=1)
    (tmp_path / "none").mkdir()
    options = _options(steps=0)
    learner = _Line()
    learner.optimizer = make_optimizer(options, learner)
    training_loop.train(
        training_loop.prepare(options),
        learner,
        _dataset,
        options,
        tmp_path / "none",
        RecordIndex.of(DatasetInfo.load(tmp_path / "shards"), ["train"]),
        [seen.append],
    )
    assert seen == [0, 1, 0]
    assert not (tmp_path / "none" / "checkpoints").exists()


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


def test_a_step_that_is_not_finite_moves_nothing(tmp_path):
    """Adam, its step count and the statistics too."""
    before = _train(tmp_path / "before", steps=7)[0]
    after, history = _train(tmp_path, make_dataset=_bad_at(8), steps=8)
    # The random state of the dropout goes on.
    for a, b in zip(after, before, strict=True):
        if a.dtype != np.int64 or a.ndim == 0:
            np.testing.assert_array_equal(a, b)
    rows = list(csv.DictReader(history.splitlines()))
    assert [row["skipped"] for row in rows] == ["0", "1"]
    assert np.isfinite(float(rows[1]["loss"]))
    listed = (tmp_path / "skipped_steps.csv").read_text().splitlines()
    assert len(listed) == 2
    step, clips = listed[1].split(",")
    assert step == "8" and len(clips.split()) == 4


def test_clips_of_a_skipped_step_are_those_of_its_positions(tmp_path):
    _train(tmp_path, make_dataset=_bad_at(2), steps=2)
    clips = (tmp_path / "skipped_steps.csv").read_text().split(",")[-1].split()
    index = RecordIndex.of(DatasetInfo.load(tmp_path / "shards"), ["train"])

    def to_id(position, record):
        return example_schema.parse(record)[example_schema.CLIP_ID]

    stream = shuffled_examples(index, to_id, _options().seed, 4)
    expected = [clip.numpy().decode() for clip, _ in stream.take(4)]
    assert clips == expected


def test_too_many_skipped_steps_end_the_run(tmp_path):
    """With a sound checkpoint; killed and resumed it ends as well."""
    bad = _bad_at(*range(11, 24))
    for _ in range(2):
        with pytest.raises(UserError, match="of the last .* steps gave"):
            _train(tmp_path, make_dataset=bad, max_skipped_steps=4)
        assert checkpoints.last_step(tmp_path) == 10
    weights = _train(tmp_path, steps=10)[0]
    assert all(np.isfinite(w).all() for w in weights)


def test_checkpoints_are_kept_by_policy(tmp_path):
    _train(tmp_path, keep_checkpoints=3)
    kept = sorted((tmp_path / "checkpoints").glob("*.index"))
    assert [f.stem for f in kept] == ["ckpt-15", "ckpt-20", "ckpt-23"]
    _train(
        tmp_path / "hours", keep_checkpoints=1, keep_checkpoint_every_hours=1e-9
    )
    assert len(list((tmp_path / "hours/checkpoints").glob("*.index"))) == 5
