"""Shard functions whose decoder some files take down, as a bad one does.

They run in workers, which import all modules anew.
"""

import os
import pathlib
import signal
import time

from data import audio_file, clip_shards, header_scan


def scan_headers(task, path, report):
    """Crashes or hangs at files named so, "in header"."""
    _break("read_header", "in header")
    return header_scan.scan_headers(task, path, report)


def write_clips(task, path, report):
    """Crashes or hangs at files named so, "in clip"."""
    _break("read_clip", "in clip")
    return clip_shards.write_clips(task, path, report)


def write_clips_but_refuse_to_read_any_trap(task, path, report):
    _break("read_clip", "in clip", crash=_refuse, hang=_refuse)
    return clip_shards.write_clips(task, path, report)


def _crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang():
    time.sleep(1000)


def _refuse():
    raise AssertionError("a trap is read again")


def _break(function, mark, crash=_crash, hang=_hang):
    real = getattr(audio_file, function)
    if real.__name__ != function:
        return  # This worker did it for its last task.

    def broken(path, *arguments):
        name = pathlib.Path(path).name
        if mark in name and "crashes" in name:
            crash()
        if mark in name and "hangs" in name:
            hang()
        return real(path, *arguments)

    setattr(audio_file, function, broken)
