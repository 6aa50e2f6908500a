import pytest

from train import step_speed
from train.step_speed import StepSpeed


class _Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_figures_are_those_since_the_last_flush(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(step_speed.time, "monotonic", clock)
    speed = StepSpeed(batch_size=6, start=40)
    assert speed.note == ""
    for waited, worked in ((3.0, 1.0), (0.5, 3.5)):
        with speed.waiting():
            clock.now += waited
        clock.now += worked
    # 2 steps in 8 seconds, 3.5 of them waiting.
    assert speed.flush(42) == {
        "examples_per_second": pytest.approx(2 * 6 / 8),
        "waiting_for_data": pytest.approx(3.5 / 8),
    }
    assert speed.note == "1.5 examples/s, 43.8% waiting for data"
    clock.now += 2.0
    assert speed.flush(47) == {
        "examples_per_second": pytest.approx(5 * 6 / 2),
        "waiting_for_data": 0.0,
    }


def test_a_clock_that_stands_still_is_no_fault(monkeypatch):
    monkeypatch.setattr(step_speed.time, "monotonic", _Clock())
    figures = StepSpeed(batch_size=6, start=0).flush(0)
    assert figures == {"examples_per_second": 0.0, "waiting_for_data": 0.0}
