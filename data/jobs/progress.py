"""Progress of long work: a live line on a terminal, plain lines in a log."""

import sys
import time

from data.run.csv_table import on_one_line


class Progress:
    """Counts units of work and shows rate and time left.

    On a terminal one line is rewritten; elsewhere a plain line is printed
    now and then, so that logs stay short.

    The first unit often takes long, to trace or to start processes. So rate
    and time left are those since it was done, and not told before.
    """

    def __init__(self, name: str, total: int, unit: str, done: int = 0):
        self.name, self.total, self.unit = on_one_line(name), total, unit
        self.done = self._start_done = done
        self._live = sys.stderr.isatty()
        self._pause_s = 0.2 if self._live else 20
        self._start = self._shown = time.monotonic()
        self._first_done, self._first = done, self._start

    def update(self, done: int, note: str = "") -> None:
        """Says that `done` units are finished, with a note such as a loss."""
        now = time.monotonic()
        if self.done == self._start_done < done:
            self._first_done, self._first = done, now
        self.done = done
        if now - self._shown >= self._pause_s:
            self._shown = now
            self._show(note, now)

    def finish(self, note: str = "") -> None:
        self._show(note, time.monotonic())
        if self._live:
            sys.stderr.write("\n")

    def _show(self, note: str, now: float) -> None:
        share = 100 * self.done / max(self.total, 1)
        text = (
            f"{self.name}: {self.done}/{self.total} {self.unit} "
            f"({share:.0f}%), "
        )
        rate = (self.done - self._first_done) / max(now - self._first, 1e-9)
        if rate > 0:
            digits = ".0f" if rate >= 10 else ".2g"
            text += f"{rate:{digits}} {self.unit}/s, "
        if rate > 0 and self.done < self.total:
            text += f"{duration((self.total - self.done) / rate)} left"
        else:
            text += duration(now - self._start)
        text += f", {note}" if note else ""
        sys.stderr.write(f"\r\x1b[2K{text}" if self._live else text + "\n")
        sys.stderr.flush()


def duration(seconds: float) -> str:
    """Seconds as a short text: 42s, 3m10s, 5h02m."""
    seconds = int(round(seconds))
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
