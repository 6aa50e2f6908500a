import io

import pytest

from data.run import progress
from data.run.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_log_gets_a_line_every_pause_with_rate_and_time_left(clock):
    log = io.StringIO()
    shown = Progress("job", 100, "clips", log_seconds=20, stream=log)
    for done in range(1, 51):
        clock.now += 1
        shown.update(done, "loss 0.5" if done == 40 else "")
    assert log.getvalue() == (
        "job: 20/100 clips (20%), 1 clips/s, 1m20s left\n"
        "job: 40/100 clips (40%), 1 clips/s, 1m00s left, loss 0.5\n"
    )


def test_finish_tells_the_time_spent(clock):
    log = io.StringIO()
    shown = Progress("job", 30, "clips", stream=log)
    clock.now += 2
    shown.update(30)
    shown.finish()
    assert log.getvalue() == "job: 30/30 clips (100%), 15 clips/s, 2s\n"


def test_what_was_done_before_does_not_count_for_the_rate(clock):
    log = io.StringIO()
    shown = Progress("job", 100, "clips", done=80, stream=log)
    clock.now += 20
    shown.update(90)
    assert "90/100 clips (90%), 0.5 clips/s, 20s left" in log.getvalue()


def test_a_terminal_line_is_rewritten(clock):
    terminal = Terminal()
    shown = Progress("job", 4, "clips", stream=terminal)
    clock.now += 1
    shown.update(2)
    clock.now += 1
    shown.update(4)
    shown.finish()
    lines = terminal.getvalue().split("\r\x1b[2K")[1:]
    assert [line.split(",")[0] for line in lines] == [
        "job: 2/4 clips (50%)",
        "job: 4/4 clips (100%)",
        "job: 4/4 clips (100%)",
    ]
    assert terminal.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (3599, "59m59s"),
        (18120, "5h02m"),
    ],
)
def test_durations(seconds, text):
    assert progress.duration(seconds) == text
