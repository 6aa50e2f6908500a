"""The sound that --query names: a recording, or FILE#start-end of one."""

import os
import re

import numpy as np
from absl import logging

from data.audio import sound_file
from data.audio.audio_header import AudioRejected
from data.run.errors import UserError

_PART = re.compile(r"(?P<file>.+)#(?P<start>[0-9.]+)-(?P<end>[0-9.]+)", re.S)


def read(text: str, sample_rate_hz: int) -> np.ndarray:
    """The recording, or the part of it, as (T,) float32, mono.

    Raises:
      UserError: the file is missing, or cannot be used as audio.
    """
    path, start_s, seconds = _parts(text)
    try:
        header = sound_file.read_header(path)
        if start_s >= header.seconds:
            raise UserError(
                f"--query={text}: it has no more than {header.seconds:.2f} s"
            )
        clip = sound_file.read_clip(
            path, sample_rate_hz, start_s, seconds, header
        )
    except AudioRejected as error:
        raise UserError(f"--query={text}: {error.reason}") from error
    for told in filter(None, (clip.header.cut_short, clip.bad_packets)):
        logging.warning("--query=%s: %s", text, told)
    return clip.audio


def file_of(text: str) -> str:
    return _parts(text)[0]


def _parts(text: str) -> tuple[str, float, float | None]:
    """File, start and length of a query, s."""
    part = _PART.fullmatch(text)
    if part is None or os.path.exists(text):
        return text, 0.0, None
    try:
        start_s, end_s = float(part["start"]), float(part["end"])
    except ValueError:
        return text, 0.0, None
    if end_s <= start_s:
        raise UserError(f"--query={text}: the part ends before it starts")
    return part["file"], start_s, end_s - start_s
