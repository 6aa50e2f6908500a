import sys

import pytest

from data.jobs import progress
from data.jobs.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_a_log_gets_a_line_every_pause_with_rate_and_time_left(clock, capsys):
    # What was done before does not count for the rate.
    shown = Progress("job", 180, "clips", done=80)
    for done in range(1, 51):
        clock.now += 1
        shown.update(80 + done, "loss 0.5" if done == 40 else "")
    clock.now += 0.5
    shown.update(180)
    shown.finish()
    assert capsys.readouterr().err == (
        "job: 100/180 clips (56%), 1 clips/s, 1m20s left\n"
        "job: 120/180 clips (67%), 1 clips/s, 1m00s left, loss 0.5\n"
        "job: 180/180 clips (100%), 2 clips/s, 50s\n"
    )


def test_a_terminal_line_is_rewritten(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = Progress("job", 40, "clips")
    for done in (20, 40):
        clock.now += 1
        shown.update(done)
    shown.finish()
    assert capsys.readouterr().err == (
        "\r\x1b[2Kjob: 20/40 clips (50%), 1s"
        "\r\x1b[2Kjob: 40/40 clips (100%), 20 clips/s, 2s"
        "\r\x1b[2Kjob: 40/40 clips (100%), 20 clips/s, 2s\n"
    )


def test_start_up_is_not_in_the_rate(clock, capsys):
    shown = Progress("job", 800, "steps")
    clock.now += 60  # To trace.
    for done in range(1, 12):
        clock.now += 2
        shown.update(done)
    assert capsys.readouterr().err == (
        "job: 1/800 steps (0%), 1m02s\n"
        "job: 11/800 steps (1%), 0.5 steps/s, 26m18s left\n"
    )


@pytest.mark.parametrize(
    "seconds, text", [(59.4, "59s"), (59.6, "1m00s"), (18120, "5h02m")]
)
def test_durations(seconds, text):
    assert progress.duration(seconds) == text
