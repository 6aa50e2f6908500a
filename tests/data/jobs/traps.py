"""Items that crash or hang, as processes read them.

Worker processes import it by name, and it little: no pytest, no decoders.
"""

import functools
import os
import pathlib
import signal
import sys
import time

from data.jobs.decoder_pool import DecoderPool

# Forks have what their parent appended, fresh processes have not.
parents = []


def read(number, notes, crash=(), hang=(), crashes=99, how=signal.SIGSEGV):
    """Returns a number, some of which end or stop the process.

    Args:
      number: of the item.
      notes: each trap sprung adds its number to this file.
      crash: numbers that end the process.
      hang: numbers that take forever.
      crashes: how often each of `crash` does so.
      how: the signal that does it; None: an exit.
    """
    if number in crash + hang:
        with notes.open("a") as stream:
            stream.write(f"{number}\n")
    if number in hang:
        time.sleep(1000)
    if number in crash and sprung(notes).count(number) <= crashes:
        os.kill(os.getpid(), how) if how else os._exit(7)
    return number


def sprung(notes):
    return sorted(int(number) for number in notes.read_text().split())


def items(folder, numbers, **traps):
    """Named items, of which some are traps."""
    for number in numbers:
        yield (
            f"number {number}",
            functools.partial(read, number, folder / "notes", **traps),
        )


def results(items, workers=2, timeout_s=60.0):
    with DecoderPool(workers, timeout_s) as pool:
        return list(pool.map(items))


def look_around():
    """Writes as C and Python do; how readily it is ended, and TensorFlow."""
    os.write(2, b"as C libraries do")
    print("as Python does", file=sys.stderr)
    oom_score = pathlib.Path("/proc/self/oom_score_adj").read_text()
    return int(oom_score), "tensorflow" in sys.modules


def divide():
    return 1 / 0


def is_forked():
    return parents != []


def rest(notes):
    notes.write_text("1\n")
    time.sleep(0.5)
    return "rested"


def wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def meet(number, folder):
    """Reads 0 or 1 while the other one is being read."""
    (folder / f"{number} is here").touch()
    wait_until((folder / f"{1 - number} is here").exists)
    return number
