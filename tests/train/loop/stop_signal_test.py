import os
import signal

import pytest
import tensorflow as tf

from train.loop.stop_signal import StopSignal

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.fixture
def heard():
    """Signals that reach the handlers from before; they are put back."""
    seen = []
    before = {
        number: signal.signal(number, lambda number, _: seen.append(number))
        for number in SIGNALS
    }
    yield seen
    for number, handler in before.items():
        signal.signal(number, handler)


def _send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("first, second", [SIGNALS, SIGNALS[::-1]])
def test_one_is_heeded_at_once_a_second_gets_the_former_handler(
    heard, first, second
):
    votes = tf.constant(0.0)
    with StopSignal(1) as stop:
        assert not stop.is_asked(votes) and stop.reason == ""
        _send(first)
        assert stop.is_asked(votes) and heard == []
        _send(second)
        assert heard == [second]
        assert stop.reason == f"stopped by {first.name}"
    with StopSignal(1):
        pass
    # Those from before are back.
    _send(first)
    assert heard == [second, first]


def test_processes_stop_after_the_same_step(heard):
    """One step after the first vote, whoever was signalled."""
    processes = [StopSignal(3) for _ in range(3)]
    asked = []
    with processes[1]:
        for step in range(1, 6):
            if step == 4:
                _send(signal.SIGTERM)
            votes = tf.add_n([stop.vote() for stop in processes])
            asked.append([stop.is_asked(votes) for stop in processes])
    assert asked == 4 * [3 * [False]] + [3 * [True]]
    assert [stop.reason for stop in processes] == [
        "another process was stopped",
        "stopped by SIGTERM",
        "another process was stopped",
    ]
