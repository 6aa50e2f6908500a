import numpy as np
import pytest
import tensorflow as tf

from data.run.errors import UserError
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION, numbers_tried
from tests.train.small_shards import noise_clips, write_shards
from train.loop.skipped_steps import SKIPPED_FILE, SkippedSteps
from train.loop.training_options import TrainingOptions


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    return RecordIndex.of(write_shards(folder, noise_clips(5, 30)), ("train",))


def _read_status(positions, failed=None):
    positions = np.asarray(positions)
    failed = np.zeros_like(positions) if failed is None else np.array(failed)
    return {
        POSITION: tf.constant(positions, tf.int64),
        FAILED: tf.constant(failed, tf.int32),
    }


def _steps(index, folder, start=0, max_skipped_steps=9):
    options = TrainingOptions(max_skipped_steps=max_skipped_steps, seed=4)
    return SkippedSteps(index, options, folder, start)


def _add(steps, numbers, skipped=()):
    for step in numbers:
        share = tf.constant(1.0 if step in skipped else 0.0)
        positions = [2 * step, 2 * step + 1]
        steps.add(step, {"skipped": share}, _read_status(positions))


def _listed(folder):
    lines = (folder / SKIPPED_FILE).read_text().splitlines()
    assert lines[0] == "step,clip_ids"
    return [int(line.split(",")[0]) for line in lines[1:]]


def test_steps_past_the_one_resumed_from_are_dropped(index, tmp_path):
    steps = _steps(index, tmp_path)
    _add(steps, range(1, 10), skipped=(3, 5, 8))
    steps.flush(9, {})
    assert _listed(tmp_path) == [3, 5, 8]
    resumed = _steps(index, tmp_path, start=5)
    _add(resumed, range(6, 10), skipped=(7,))
    resumed.flush(9, {})
    assert _listed(tmp_path) == [3, 5, 7]


def test_without_skipped_steps_there_is_no_file(index, tmp_path):
    steps = _steps(index, tmp_path, max_skipped_steps=0)
    _add(steps, range(1, 4))
    steps.flush(3, {})
    steps.flush(3, {})
    assert not list(tmp_path.iterdir())


def test_pairs_and_replacements_are_named(index, tmp_path):
    """Positions (n, 2) as of separation; the clip used is the last tried."""
    steps = _steps(index, tmp_path)
    positions, failed = [[6, 7], [8, 9]], [[0, 2], [1, 0]]
    skipped = {"skipped": tf.constant(1.0)}
    steps.add(1, skipped, _read_status(positions, failed))
    steps.flush(1, {})
    numbers = [
        numbers_tried(index, 4, [position], [count + 1])[-1]
        for position, count in zip(
            np.ravel(positions), np.ravel(failed), strict=True
        )
    ]
    # Stored in two shards, one after the other.
    names = [f"clip{k}" for k in (0, 2, 4, 1, 3)]
    text = (tmp_path / SKIPPED_FILE).read_text().split(",")[-1]
    assert text.split() == [names[number] for number in numbers]


def test_as_many_as_are_allowed_in_a_hundred_steps(index, tmp_path):
    steps = _steps(index, tmp_path, max_skipped_steps=2)
    for first in range(1, 200, 10):
        # The first two are out of the window when the next two come.
        _add(steps, range(first, first + 10), skipped=(2, 13, 103, 114))
        steps.flush(first + 9, {})
    _add(steps, [201], skipped=(201,))
    with pytest.raises(UserError, match="3 of the last 100 .*_steps=2: see"):
        steps.flush(201, {})
    assert _listed(tmp_path) == [2, 13, 103, 114, 201]
