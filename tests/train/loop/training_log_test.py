"""history.csv and the files of TensorBoard, as their readers see them."""

import math
import pathlib

import tensorflow as tf
from tensorboard.backend.event_processing import plugin_event_accumulator

from evaluate.pages.report_runs import read_history
from train.loop import shown_sound, training_log
from train.loop.training_log import Step, TrainingLog


def _step(number, skipped=0.0, **scalars):
    scalars |= {"skipped": skipped}
    return Step(number, {k: tf.constant(v) for k, v in scalars.items()}, {})


def _shown(folder: pathlib.Path):
    """What TensorBoard would show."""
    shown = plugin_event_accumulator.EventAccumulator(
        str(folder / "tensorboard")
    )
    return shown.Reload()


def _points(folder: pathlib.Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every tag but the speed."""
    shown = _shown(folder)
    return {
        tag: [
            (event.step, float(tf.make_ndarray(event.tensor_proto)))
            for event in shown.Tensors(tag)
        ]
        for tag in shown.Tags()["tensors"]
        if not tag.startswith("speed/")
    }


def _rows(folder: pathlib.Path) -> list[str]:
    return (folder / "history.csv").read_text().splitlines()


def test_figures_are_those_since_the_row_before(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr(training_log.time, "monotonic", lambda: now)
    log = TrainingLog(tmp_path, 40, batch_size=6)
    for waited, worked in ((3.0, 60.0), (0.5, 3.5)):
        with log.waiting():
            now += waited
        now += worked
    losses = {41: 1.0, 42: 6.0}
    log.flush(
        [_step(k, loss=v, gradient_norm=4 * v) for k, v in losses.items()], {}
    )
    # The first step is traced. The other took 4 seconds, 0.5 waiting.
    assert log.note == "loss 3.5, 1.5 examples/s, 12.5% waiting for data"
    # A clock that stands still is no fault.
    log.flush([_step(43, loss=0.5, gradient_norm=0.25)], {})
    assert _rows(tmp_path) == [
        "step,loss,gradient_norm,skipped",
        "42,3.5,14.0,0",
        "43,0.5,0.25,0",
    ]
    speeds = _shown(tmp_path).Tensors("speed/waiting_for_data")
    found = [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in speeds]
    assert found == [(42, 0.125), (43, 0.0)]


def test_skipped_steps_are_counted_and_tags_are_grouped(tmp_path):
    """A skipped step, and what is not known, is in no mean."""
    log = TrainingLog(tmp_path, 0, 1)
    steps = [
        _step(1, loss=2.0, triplet=1.0, gradient_norm=8.0),
        _step(2, loss=0.0, triplet=0.0, gradient_norm=0.0, skipped=1.0),
        _step(3, loss=5.0, triplet=2.0, gradient_norm=4.0),
    ]
    log.flush(steps, {"uniformity": -1.5, "channel_activity": math.nan})
    assert log.note.startswith("loss 3.5, triplet 1.5, 1 skipped, ")
    log.flush([steps[1]._replace(number=4)], {"learning_rate": 0.125})
    assert log.note.startswith("all skipped, ")
    assert _rows(tmp_path) == [
        "step,loss,triplet,gradient_norm,skipped,uniformity,channel_activity,"
        "learning_rate",
        "3,3.5,1.5,6.0,1,-1.5,,",
        "4,,,,1,,,0.125",
    ]
    assert _points(tmp_path) == {
        "losses/loss": [(3, 3.5)],
        "losses/triplet": [(3, 1.5)],
        "optimizer/gradient_norm": [(3, 6.0)],
        "optimizer/skipped": [(3, 1), (4, 1)],
        "embedding/uniformity": [(3, -1.5)],
        "optimizer/learning_rate": [(4, 0.125)],
    }


def _run(folder, start, stop, offset=0.0, every=10):
    log = TrainingLog(folder, start, 1)
    for step in range(start + every, stop + 1, every):
        log.flush([_step(step, loss=step + offset)], {})
        with log.writer.as_default():
            tf.summary.scalar("probe/mAP", step / 1000, step)
    log.writer.close()
    # Names tell runs of one second apart by their process, which is one here.
    [events] = (folder / "tensorboard").glob("events.out.*")
    events.rename(events.with_name(f"{start:03d}.tfevents"))


def test_steps_that_are_run_again_show_once(tmp_path):
    _run(tmp_path, 0, 90)
    _run(tmp_path, 40, 70, offset=0.5)
    _run(tmp_path, 60, 80, offset=0.25)
    steps = [10, 20, 30, 40, 50, 60, 70, 80]
    losses = [10, 20, 30, 40, 50.5, 60.5, 70.25, 80.25]
    points = _points(tmp_path)
    assert points["losses/loss"] == list(zip(steps, losses, strict=True))
    assert [step for step, _ in points["probe/mAP"]] == steps
    history = read_history(tmp_path / "history.csv")
    assert history["loss"].to_dict() == dict(zip(steps, losses, strict=True))


def test_what_is_there_of_a_run_before(tmp_path):
    history = tmp_path / "history.csv"

    def after(before, start):
        history.write_bytes(before)
        log = TrainingLog(tmp_path, start, 1, tensorboard=False)
        log.flush([_step(51, loss=2.0)], {})
        with log.writer.as_default():
            assert not shown_sound.is_due(20, 10)
        return _rows(tmp_path)

    # Another run.
    assert after(b"step,old\n51,1.0\n", 0) == ["step,loss,skipped", "51,2.0,0"]
    # As written by csv, and then part of "60,1.5" that a kill has cut short.
    old = b"step,loss,skipped\r\n5,1.0,0\r\n6"
    assert after(old, 50) == ["step,loss,skipped", "5,1.0,0", "51,2.0,0"]
    # Without a column that came later.
    assert after(b"step,old,loss\n5,3.0,1.0\n", 50) == [
        "step,old,loss,skipped",
        "5,3.0,1.0,",
        "51,,2.0,0",
    ]
    assert not (tmp_path / "tensorboard").exists()
