import csv
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION, numbers_tried
from tests.data.shards.damaged_shards import flip
from tests.train.small_shards import noise_clips, write_shards
from train.loop import training_loop
from train.loop.step_records import SKIPPED_FILE, StepRecords
from train.loop.training_log import Step
from train.loop.training_options import TrainingOptions
from train.separation.mixture_pipeline import batches_of_pairs

OPTIONS = TrainingOptions(
    steps=12,
    batch_size=3,
    checkpoint_every=4,
    log_every=2,
    max_bad_fraction=0.2,
    seed=5,
)


class _Seen(keras.Model):
    """Keeps all that it is shown, and learns nothing."""

    def __init__(self):
        super().__init__()
        self.built = True
        self.optimizer = keras.optimizers.SGD()
        self.seen = []

    def train_step(self, batch):
        tf.py_function(lambda x: self.seen.append(x.numpy()), [batch], [])
        return {"loss": tf.reduce_mean(batch), "skipped": tf.zeros([])}

    def diagnostics(self, batch):
        return {}


@pytest.fixture
def shards(tmp_path):
    return write_shards(tmp_path / "shards", noise_clips(10, 100))


@pytest.fixture
def index(shards):
    return RecordIndex.of(shards, ["train"])


def _train(shards, folder, at_step=(), **changes):
    options = dataclasses.replace(OPTIONS, **changes)
    strategy = training_loop.prepare(options)
    folder.mkdir(exist_ok=True)
    learner = _Seen()
    # Of the shards as they are now.
    index = RecordIndex.of(shards, ["train"])

    def make_dataset(step, context):
        return batches_of_pairs(index, 60, 3, OPTIONS.seed, step, context)

    training_loop.train(
        strategy, learner, make_dataset, options, folder, index, at_step
    )
    return np.stack(learner.seen)


def _listed(folder):
    with (folder / "bad_records.csv").open(encoding="utf-8") as stream:
        return [
            (row["shard"], int(row["record"]), row["cause"], row["clip_id"])
            for row in csv.DictReader(stream)
        ]


def _damage(index, *numbers):
    for number in numbers:
        flip(index.file_of(number), index.offset_of[number] + 30)


def test_bad_records_are_replaced_and_listed(shards, index, tmp_path):
    whole = _train(shards, tmp_path / "whole")
    assert not (tmp_path / "whole" / "bad_records.csv").exists()
    _damage(index, 3, 7)
    seen = _train(shards, tmp_path / "bad")
    assert _listed(tmp_path / "bad") == [
        ("train-0.tfrecord", 3, "checksum", "clip6"),
        ("train-1.tfrecord", 2, "checksum", "clip5"),
    ]
    # Everything else is what it was, in its place.
    same = np.all(seen == whole, axis=-1)
    epochs = 12 * 3 * 2 / 10
    assert 1 - same.mean() == pytest.approx(0.2, abs=0.2 / epochs)


def test_past_the_limit_the_run_stops_and_goes_on_with_another(
    shards, index, tmp_path
):
    _damage(index, 1, 3, 7)
    folder = tmp_path / "run"
    told = r"3 of 10 clips cannot be read \(0.3\).*--max_bad_fraction=0.2"
    with pytest.raises(UserError, match=told):
        _train(shards, folder)
    assert len(_listed(folder)) == 3
    expected = _train(shards, tmp_path / "whole", max_bad_fraction=1)
    rest = _train(shards, folder, max_bad_fraction=0.3)
    np.testing.assert_array_equal(rest, expected[-len(rest) :])
    assert _listed(folder) == _listed(tmp_path / "whole")


def test_a_missing_shard_stops_before_the_first_step(shards, tmp_path):
    (shards.folder / "train-1.tfrecord").unlink()
    steps = []
    told = "5 of 10 clips cannot be read.*5 are missing_file, as record 0 of"
    with pytest.raises(UserError, match=told):
        _train(shards, tmp_path / "run", [steps.append])
    assert steps == []


def test_nothing_readable_is_told_not_hung_on(shards, index, tmp_path):
    _damage(index, *range(10))
    told = "none of the 8 records tried for one example can be read"
    with pytest.raises(UserError, match=told):
        _train(shards, tmp_path, max_bad_fraction=1)
    assert _listed(tmp_path)
    with pytest.raises(UserError, match="--max_bad_fraction=0.2"):
        _train(shards, tmp_path)


def test_nothing_readable_is_told_of_what_is_shown_at_step_0(
    shards, index, tmp_path
):
    _damage(index, *range(10))
    batches = batches_of_pairs(index, 60, 3, OPTIONS.seed, 0)
    told = "none of the 8 records tried for one example can be read"
    with pytest.raises(UserError, match=told):
        _train(
            shards,
            tmp_path,
            [lambda step: next(iter(batches))],
            max_bad_fraction=1,
        )
    assert {cause for _, _, cause, _ in _listed(tmp_path)} == {"checksum"}


def test_a_list_that_is_no_list_is_told(index, tmp_path):
    (tmp_path / SKIPPED_FILE).write_text("step,clip_ids\nx,clip1\n")
    with pytest.raises(UserError, match="row 'x,clip1', which starts with no"):
        StepRecords(index, OPTIONS, tmp_path, 0)


def test_other_errors_are_not_explained(index, tmp_path):
    records = StepRecords(index, OPTIONS, tmp_path, 0)
    error = tf.errors.InvalidArgumentError(None, None, "shapes differ")
    with pytest.raises(tf.errors.InvalidArgumentError) as told:
        with records.explained([]):
            raise error
    assert told.value is error


def _step(number, positions, failed=0, skipped=1.0):
    status = {
        POSITION: tf.constant(positions, tf.int64),
        FAILED: tf.constant(np.broadcast_to(failed, np.shape(positions))),
    }
    return Step(number, {"skipped": tf.constant(skipped)}, status)


def _steps(numbers, skipped=()):
    return [
        _step(k, [2 * k, 2 * k + 1], skipped=float(k in skipped))
        for k in numbers
    ]


def _skipped(folder):
    lines = (folder / SKIPPED_FILE).read_text().splitlines()
    assert lines[0] == "step,clip_ids"
    return [int(line.split(",")[0]) for line in lines[1:]]


def test_skipped_steps_past_the_one_resumed_from_are_dropped(index, tmp_path):
    records = StepRecords(index, OPTIONS, tmp_path, 0)
    records.flush(_steps(range(1, 3)))
    assert not (tmp_path / SKIPPED_FILE).exists()
    records.flush(_steps(range(3, 10), skipped=(3, 5, 8)))
    assert _skipped(tmp_path) == [3, 5, 8]
    resumed = StepRecords(index, OPTIONS, tmp_path, 5)
    resumed.flush(_steps(range(6, 10), skipped=(7,)))
    assert _skipped(tmp_path) == [3, 5, 7]


def test_clips_of_pairs_and_replacements_are_named(index, tmp_path):
    """Positions (n, 2) as of separation; the clip used is the last tried."""
    options = dataclasses.replace(OPTIONS, max_bad_fraction=1)
    positions, failed = [[6, 7], [8, 9]], [[0, 2], [1, 0]]
    records = StepRecords(index, options, tmp_path, 0)
    records.flush([_step(1, positions, failed)])
    numbers = [
        numbers_tried(index, OPTIONS.seed, [position], [count + 1])[-1]
        for position, count in zip(
            np.ravel(positions), np.ravel(failed), strict=True
        )
    ]
    # Stored in two shards, one after the other.
    names = [f"clip{k}" for k in (*range(0, 10, 2), *range(1, 10, 2))]
    text = (tmp_path / SKIPPED_FILE).read_text().split(",")[-1]
    assert text.split() == [names[number] for number in numbers]


def test_as_many_are_skipped_as_are_allowed_in_a_hundred(index, tmp_path):
    options = dataclasses.replace(OPTIONS, max_skipped_steps=2)
    records = StepRecords(index, options, tmp_path, 0)
    for first in range(1, 200, 10):
        # The first two are out of the window when the next two come.
        numbers = range(first, first + 10)
        records.flush(_steps(numbers, skipped=(2, 13, 103, 114)))
    with pytest.raises(UserError, match="3 of the last 100 .*_steps=2: see"):
        records.flush(_steps([201], skipped=(201,)))
    assert _skipped(tmp_path) == [2, 13, 103, 114, 201]
