"""history.csv and the files of TensorBoard, as their readers see them."""

import math
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing import plugin_event_accumulator

from evaluate.pages.report_runs import read_history
from train.loop.training_log import TrainingLog


def _add(log, **scalars):
    scalars = {name: tf.constant(value) for name, value in scalars.items()}
    log.add(0, scalars, {})


def _points(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every tag, as TensorBoard would show them."""
    loader = plugin_event_accumulator.EventAccumulator(
        str(folder / "tensorboard")
    )
    loader.Reload()
    return {
        tag: [
            (event.step, float(tf.make_ndarray(event.tensor_proto)))
            for event in loader.Tensors(tag)
        ]
        for tag in loader.Tags()["tensors"]
    }


def _rows(folder: pathlib.Path) -> list[str]:
    return (folder / "history.csv").read_text().splitlines()


def test_rows_are_means_since_the_row_before(tmp_path):
    log = TrainingLog(tmp_path, 0, False)
    for loss in (1.0, 2.0, 6.0):
        _add(log, loss=loss, gradient_norm=4 * loss)
    log.flush(3, {})
    _add(log, loss=0.5, gradient_norm=0.25)
    log.flush(4, {})
    assert _rows(tmp_path) == [
        "step,loss,gradient_norm",
        "3,3.0,12.0",
        "4,0.5,0.25",
    ]
    assert not (tmp_path / "tensorboard").exists()


def test_skipped_steps_are_counted_and_in_no_mean(tmp_path):
    log = TrainingLog(tmp_path, 0, True)
    _add(log, loss=2.0, skipped=0.0)
    _add(log, loss=0.0, skipped=1.0)
    _add(log, loss=5.0, skipped=0.0)
    log.flush(3, {})
    assert log.note == "loss 3.5, 1 skipped"
    _add(log, loss=0.0, skipped=1.0)
    log.flush(4, {"learning_rate": 0.125})
    log.close()
    assert log.note == "all skipped"
    assert _rows(tmp_path) == [
        "step,loss,skipped,learning_rate",
        "3,3.5,1,",
        "4,,1,0.125",
    ]
    assert _points(tmp_path) == {
        "losses/loss": [(3, 3.5)],
        "optimizer/skipped": [(3, 1), (4, 1)],
        "optimizer/learning_rate": [(4, 0.125)],
    }


def test_nothing_is_read_before_a_row_is_due(tmp_path):
    class _Unread:
        def __init__(self, value):
            self.value = value

        def __add__(self, other):
            return _Unread(self.value + other.value)

        def __float__(self):
            assert due
            return float(self.value)

    due = False
    log = TrainingLog(tmp_path, 0, False)
    log.add(1, {"loss": _Unread(3)}, {})
    log.add(2, {"loss": _Unread(5)}, {})
    due = True
    log.flush(2, {})
    assert _rows(tmp_path) == ["step,loss", "2,4.0"]


def test_a_flush_without_a_step_writes_nothing(tmp_path):
    log = TrainingLog(tmp_path, 0, True)
    log.flush(0, {"learning_rate": 1.0})
    log.close()
    assert not (tmp_path / "history.csv").exists()
    assert _points(tmp_path) == {}


def test_tags_are_grouped(tmp_path):
    log = TrainingLog(tmp_path, 0, True)
    _add(log, loss=1.0, similarity=0.75, gradient_norm=2.0)
    log.flush(
        7,
        {
            "learning_rate": 0.5,
            "uniformity": -1.5,
            "channel_activity": math.nan,
        },
    )
    log.close()
    assert _points(tmp_path) == {
        "losses/loss": [(7, 1.0)],
        "losses/similarity": [(7, 0.75)],
        "optimizer/gradient_norm": [(7, 2.0)],
        "optimizer/learning_rate": [(7, 0.5)],
        "embedding/uniformity": [(7, -1.5)],
    }
    assert _rows(tmp_path) == [
        "step,loss,similarity,gradient_norm,learning_rate,uniformity,"
        "channel_activity",
        "7,1.0,0.75,2.0,0.5,-1.5,",
    ]
    assert log.note == "loss 1, similarity 0.75"


def _run(folder, start, stop, offset=0.0, every=10):
    log = TrainingLog(folder, start, True)
    for step in range(start + 1, stop + 1):
        _add(log, loss=step + offset)
        if step % every == 0:
            log.flush(step, {})
            with log.writer.as_default():
                tf.summary.scalar("probe/mAP", step / 1000, step)
    log.close()


def test_steps_that_are_run_again_show_once(tmp_path):
    _run(tmp_path, 0, 90)
    _run(tmp_path, 40, 70, offset=0.5)
    _run(tmp_path, 60, 80, offset=0.25)
    steps = [10, 20, 30, 40, 50, 60, 70, 80]
    losses = [5.5, 15.5, 25.5, 35.5, 46, 56, 65.75, 75.75]
    points = _points(tmp_path)
    assert points["losses/loss"] == list(zip(steps, losses, strict=True))
    assert [step for step, _ in points["probe/mAP"]] == steps
    history = read_history(tmp_path / "history.csv")
    assert history["loss"].to_dict() == dict(zip(steps, losses, strict=True))


def test_a_start_from_nothing_forgets_an_old_history(tmp_path):
    (tmp_path / "history.csv").write_text("step,old\n5,1.0\n")
    log = TrainingLog(tmp_path, 0, False)
    _add(log, loss=1.0)
    log.flush(1, {})
    assert _rows(tmp_path) == ["step,loss", "1,1.0"]


def test_a_row_that_a_kill_cut_short_is_dropped(tmp_path):
    # As written by csv, and then part of "60,1.5".
    (tmp_path / "history.csv").write_bytes(b"step,loss\r\n5,1.0\r\n6")
    log = TrainingLog(tmp_path, 50, False)
    _add(log, loss=2.0)
    log.flush(51, {})
    assert _rows(tmp_path) == ["step,loss", "5,1.0", "51,2.0"]


def test_new_columns_leave_old_rows_empty(tmp_path):
    (tmp_path / "history.csv").write_text("step,old,loss\n5,3.0,1.0\n")
    log = TrainingLog(tmp_path, 5, False)
    _add(log, loss=2.0, triplet=0.5)
    log.flush(6, {})
    history = read_history(tmp_path / "history.csv")
    assert list(history) == ["old", "loss", "triplet"]
    assert list(history.index) == [5, 6]
    np.testing.assert_array_equal(
        history.to_numpy().T, [[3, np.nan], [1, 2], [np.nan, 0.5]]
    )


@pytest.mark.parametrize("tensorboard", [False, True])
def test_others_write_where_tensorboard_is_wanted(tmp_path, tensorboard):
    log = TrainingLog(tmp_path, 0, tensorboard)
    with log.writer.as_default():
        assert bool(tf.summary.should_record_summaries()) == tensorboard
