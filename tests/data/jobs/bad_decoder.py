"""A decoder that some files take down: they are named for what they do.

Worker processes import it by name.
"""

import os
import pathlib
import signal
import time

from data.ingest import clip_shards, header_scan


def read_header(path, *options):
    """Crashes or hangs at files named so, "in header"."""
    _spring(path, "in header")
    return header_scan.read_header(path, *options)


class ClipReader(clip_shards.ClipReader):
    """Crashes or hangs at files named so, "in clip"."""

    def read(self, clip):
        _spring(clip.recording.path, "in clip")
        return super().read(clip)


def _spring(path, mark):
    name = pathlib.Path(path).name
    if mark in name and "crashes" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    if mark in name and "hangs" in name:
        time.sleep(1000)
