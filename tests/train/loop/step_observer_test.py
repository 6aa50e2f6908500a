import pytest
import tensorflow as tf

from tests.train.loop.event_files import read_events
from train.loop import step_observer
from train.loop.step_observer import StepSpeed


class _Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_figures_are_those_since_the_last_flush(monkeypatch, tmp_path):
    clock = _Clock()
    monkeypatch.setattr(step_observer.time, "monotonic", clock)
    speed = StepSpeed(batch_size=6, start=40)
    assert speed.note == ""
    for waited, worked in ((3.0, 1.0), (0.5, 3.5)):
        with speed.waiting():
            clock.now += waited
        clock.now += worked
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        speed.flush(42, {})
        assert speed.note == "1.5 examples/s, 43.8% waiting for data"
        clock.now += 2.0
        speed.flush(47, {})
    writer.close()
    # 2 steps in 8 seconds, 3.5 of them waiting; then 5 steps in 2 seconds.
    assert read_events(tmp_path) == {
        ("speed/examples_per_second", 42): pytest.approx(2 * 6 / 8),
        ("speed/waiting_for_data", 42): pytest.approx(3.5 / 8),
        ("speed/examples_per_second", 47): pytest.approx(5 * 6 / 2),
        ("speed/waiting_for_data", 47): 0.0,
    }


def test_a_clock_that_stands_still_is_no_fault(monkeypatch):
    monkeypatch.setattr(step_observer.time, "monotonic", _Clock())
    speed = StepSpeed(batch_size=6, start=0)
    speed.flush(0, {})
    assert speed.note == "0 examples/s, 0.0% waiting for data"
