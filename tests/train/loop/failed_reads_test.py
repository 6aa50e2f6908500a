import csv
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from data.shards.record_index import RecordIndex
from tests.data.shards.damaged_shards import flip
from tests.train.small_shards import noise_clips, write_shards
from train.contrastive import view_pipeline
from train.contrastive.view_pipeline import VIEWS, ViewSpec
from train.loop import training_loop
from train.loop.failed_reads import FailedReads
from train.loop.training_options import TrainingOptions
from train.separation.mixture_pipeline import batches_of_pairs

OPTIONS = TrainingOptions(
    steps=12,
    batch_size=3,
    checkpoint_every=4,
    log_every=2,
    seed=5,
    max_bad_fraction=0.2,
)
SPEC = ViewSpec("mix_vs_mix", (), 0, 60, 10**6, -120.0, 0)


class _Level(keras.Model):
    """Follows the level of what it is shown; keeps all of it."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.dense.build((None, 1))
        self.built = True
        self.optimizer = keras.optimizers.SGD(0.1)
        self.optimizer.build(self.trainable_variables)
        self.seen = []

    def train_step(self, batch):
        audio = batch[VIEWS] if isinstance(batch, dict) else batch
        tf.py_function(lambda x: self.seen.append(x.numpy()), [audio], [])
        with tf.GradientTape() as tape:
            level = self.dense(tf.reshape(audio[..., :1], [-1, 1]))
            loss = tf.reduce_mean(level**2)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss, "skipped": tf.zeros([])}

    def diagnostics(self, batch):
        return {}


def _of_views(index):
    return lambda step, context: view_pipeline.batches(
        index, SPEC, 3, OPTIONS.seed, step, context
    )


def _of_pairs(index):
    return lambda step, context: batches_of_pairs(
        index, 60, 3, OPTIONS.seed, step, context
    )


TRAINERS = pytest.mark.parametrize("pipeline", [_of_views, _of_pairs])


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path / "shards", noise_clips(10, 100))


def _train(shards, folder, pipeline, at_step=None, **changes):
    options = dataclasses.replace(OPTIONS, **changes)
    strategy = training_loop.prepare(options)
    folder.mkdir(exist_ok=True)
    learner = _Level()
    index = RecordIndex.of(shards, ["train"])
    training_loop.train(
        strategy,
        learner,
        pipeline(index),
        options,
        folder,
        index,
        [at_step] if at_step else [],
    )
    return np.stack(learner.seen)


def _listed(folder):
    with (folder / "bad_records.csv").open(encoding="utf-8") as stream:
        return [
            (row["shard"], int(row["record"]), row["cause"], row["clip_id"])
            for row in csv.DictReader(stream)
        ]


def _damage(shards, *numbers):
    index = RecordIndex.of(shards, ["train"])
    for number in numbers:
        flip(index.file_of(number), index.offset_of[number] + 30)


@TRAINERS
def test_bad_records_are_replaced_and_listed(shards, tmp_path, pipeline):
    whole = _train(shards, tmp_path / "whole", pipeline)
    assert not (tmp_path / "whole" / "bad_records.csv").exists()
    _damage(shards, 3, 7)
    seen = _train(shards, tmp_path / "bad", pipeline)
    assert _listed(tmp_path / "bad") == [
        ("train-0.tfrecord", 3, "checksum", "clip6"),
        ("train-1.tfrecord", 2, "checksum", "clip5"),
    ]
    # Everything else is what it was, in its place.
    same = np.all(seen == whole, axis=-1)
    clips = 1 if pipeline is _of_pairs else 2
    epochs = 12 * 3 * 2 / clips / 10
    assert 1 - same.mean() == pytest.approx(0.2, abs=0.2 / epochs)
    header = [
        (tmp_path / run / "history.csv").read_text().splitlines()[0]
        for run in ("whole", "bad")
    ]
    assert header == ["step,loss,skipped,learning_rate"] * 2


def test_past_the_limit_the_run_stops_and_goes_on_with_another(
    shards, tmp_path
):
    _damage(shards, 1, 3, 7)
    folder = tmp_path / "run"
    told = r"3 of 10 clips cannot be read \(0.3\).*--max_bad_fraction=0.2"
    with pytest.raises(UserError, match=told):
        _train(shards, folder, _of_pairs)
    assert len(_listed(folder)) == 3
    expected = _train(shards, tmp_path / "whole", _of_pairs, max_bad_fraction=1)
    rest = _train(shards, folder, _of_pairs, max_bad_fraction=0.3)
    np.testing.assert_array_equal(rest, expected[-len(rest) :])
    assert _listed(folder) == _listed(tmp_path / "whole")


class _Killed(Exception):
    pass


def test_killed_and_resumed_sees_the_same(shards, tmp_path):
    _damage(shards, 3, 7)
    expected = _train(shards, tmp_path / "whole", _of_views)

    def kill(done):
        if done == 9:
            raise _Killed

    folder = tmp_path / "parts"
    with pytest.raises(_Killed):
        _train(shards, folder, _of_views, kill)
    rest = _train(shards, folder, _of_views)
    np.testing.assert_array_equal(rest, expected[-len(rest) :])
    assert _listed(folder) == _listed(tmp_path / "whole")


def test_a_missing_shard_stops_before_the_first_step(shards, tmp_path):
    (shards.folder / "train-1.tfrecord").unlink()
    steps = []
    told = "5 of 10 clips cannot be read.*5 are missing_file, as record 0 of"
    with pytest.raises(UserError, match=told):
        _train(shards, tmp_path / "run", _of_views, steps.append)
    assert steps == [0]
    seen = _train(shards, tmp_path / "run", _of_views, max_bad_fraction=0.5)
    assert np.isfinite(seen).all() and seen.shape == (12, 3, 2, 60)


def test_nothing_readable_is_told_not_hung_on(shards, tmp_path):
    _damage(shards, *range(10))
    told = "none of the 8 records tried for one example can be read"
    with pytest.raises(UserError, match=told):
        _train(shards, tmp_path, _of_views, max_bad_fraction=1)
    assert _listed(tmp_path)
    with pytest.raises(UserError, match="--max_bad_fraction=0.2"):
        _train(shards, tmp_path, _of_views)


def test_other_errors_are_not_explained(shards, tmp_path):
    index = RecordIndex.of(shards, ["train"])
    reads = FailedReads(index, OPTIONS, tmp_path)
    error = tf.errors.InvalidArgumentError(None, None, "shapes differ")
    with pytest.raises(tf.errors.InvalidArgumentError) as told:
        with reads.explained():
            raise error
    assert told.value is error
    reads.flush(0, {})
    assert not (tmp_path / "bad_records.csv").exists()
