"""--source=audioset: segments of videos, by AudioSet's published tables.

Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio
events", 2017. The sound itself is not published: whoever has fetched it names
the files by the videos' ids, in one of several ways.
"""

import collections
import dataclasses
import math
import os
import re
from collections.abc import Iterable, Sequence

from data.run import csv_table
from data.run.csv_table import printable
from data.run.errors import UserError
from data.run.rejects import Reject
from data.sources import label_table, recording_files
from data.sources.manifest import EVAL, TRAIN, Manifest
from data.sources.recording_files import Recording, Segment

_COLUMNS = ("YTID", "start_seconds", "end_seconds", "positive_labels")
_VIDEO = re.compile(r"[A-Za-z0-9_-]{11}")
_TIME = r" ?\d+(?:\.\d+)?"
# Ids hold "_" and "-" too; that they have 11 characters tells them apart.
_FILE_NAME = re.compile(rf"Y?({_VIDEO.pattern})(?:_({_TIME})(?:[_-]{_TIME})?)?")


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    table: str
    line: int
    split: str
    video: str
    start_s: float
    end_s: float
    mids: tuple[str, ...]

    @property
    def key(self) -> tuple[str, int]:
        """What tells segments apart: the video, and the start in ms."""
        return self.video, round(self.start_s * 1000)

    @property
    def where(self) -> str:
        return f"{self.table}, line {self.line}"


def read(folder: str, segments: Sequence[str], class_labels: str) -> Manifest:
    """The segments of the tables whose sound is in a folder.

    A file is named VIDEO, VIDEO_START or VIDEO_START_END, with or without a
    "Y" before, at any depth; VIDEO is the id of 11 characters, times are in
    seconds or, without a point, in milliseconds. Named without times, it is
    the whole video or the segment alone: see `Segment.place`. Where two files
    would do, the one named with the start counts, then one with a suffix of
    sounds, then the first by path.

    Args:
      folder: of the sound files.
      segments: the CSVs. One with "eval" in its name is the split "eval", the
        others are "train". Rows for one segment are joined.
      class_labels: class_labels_indices.csv.

    Returns:
      What was found, in the order of paths; a recording for each segment.
      Classes are display names in the order of their indices.

    Raises:
      UserError: a table or the folder cannot be used, a row is wrong, a
        segment is in both splits, or no segment of a table has sound.
    """
    class_names, name_of = _read_classes(class_labels)
    every = [row for file in segments for row in _read_segments(file)]
    rows = _joined(every)
    found = recording_files.find_recordings(folder)
    sound_of = _by_name(found)
    segments_of = collections.Counter(row.video for row in rows)
    recordings: list[Recording] = []
    rejects: list[Reject] = []
    missing: list[Reject] = []
    used: set[str] = set()
    tables_with_sound: set[str] = set()
    for row in rows:
        segment = Segment(0.0, row.end_s - row.start_s, True)
        recording = sound_of.get(row.key)
        if recording is None:
            is_only_one = segments_of[row.video] == 1
            segment = Segment(row.start_s, row.end_s, is_only_one)
            recording = sound_of.get((row.video, None))
        if recording is None:
            name = f"{row.video}_{row.start_s:.3f}"
            missing.append((name, "missing", f"{row.where}: no sound of it"))
            continue
        used.add(recording.path)
        tables_with_sound.add(row.table)
        unknown = [mid for mid in row.mids if mid not in name_of]
        if unknown:
            reason = (
                f"{row.where}: label {printable(unknown[0])!r} is not in "
                f"--class_labels={class_labels}: are they of one release?"
            )
            rejects.append((recording.name, "unknown_label", reason))
            continue
        labels = tuple(sorted({name_of[mid] for mid in row.mids}))
        wanted = dataclasses.replace(
            recording,
            labels=labels,
            split=row.split,
            segment=segment,
            is_named=True,
        )
        recordings.append(wanted)
    for row in rows:
        if row.table not in tables_with_sound:
            raise UserError(
                f"{row.table}: no segment of it has sound in --input={folder}; "
                f"line {row.line} is of video {row.video}, the folder has e.g. "
                f"{found[0].name}"
            )
    apart, overlapping = _apart(recordings)
    unused, others = recording_files.not_asked_for(found, used)
    counts = {
        "files_unused": unused,
        "repeated_rows": len(every) - len(rows),
    }
    rejects += overlapping
    return Manifest(
        apart, class_names, tuple(rejects), tuple(missing), others, counts
    )


def _by_name(
    found: Iterable[Recording],
) -> dict[tuple[str, int | None], Recording]:
    """Files by the video and start, in ms, of their names; None: no start."""
    sound_of: dict[tuple[str, int | None], Recording] = {}
    # A start without a point may be in ms, unless another file has it in s.
    read_as_ms: dict[tuple[str, int | None], Recording] = {}
    # Those named like sounds first: thumbnails lie beside them.
    for recording in sorted(found, key=lambda r: not r.is_like_sound):
        stem = os.path.splitext(recording.path.split("/")[-1])[0]
        name = _FILE_NAME.fullmatch(stem)
        if not name:
            continue
        video, start = name.groups()
        start_ms = None if start is None else round(float(start) * 1000)
        sound_of.setdefault((video, start_ms), recording)
        if start and "." not in start:
            read_as_ms.setdefault((video, int(start)), recording)
    return read_as_ms | sound_of


def _apart(
    recordings: list[Recording],
) -> tuple[tuple[Recording, ...], list[Reject]]:
    """Recordings in order; a segment over another's sound is refused."""
    kept: list[Recording] = []
    rejects: list[Reject] = []
    last_of: dict[str, Segment] = {}
    for recording in sorted(
        recordings, key=lambda r: (os.fsencode(r.path), r.segment.start_s)
    ):
        segment, before = recording.segment, last_of.get(recording.path)
        if before and segment.start_s < before.end_s:
            reason = (
                f"its segment at {segment.start_s:g} s starts before the one "
                f"at {before.start_s:g} s ends: give each a file of its own"
            )
            rejects.append((recording.name, "overlap", reason))
        else:
            kept.append(recording)
            last_of[recording.path] = segment
    return tuple(kept), rejects


def _joined(rows: Sequence[_Row]) -> list[_Row]:
    """One row a segment, with the labels of all of them."""
    joined: dict[tuple[str, int], _Row] = {}
    for row in rows:
        first = joined.setdefault(row.key, row)
        if first is row:
            continue
        if first.split != row.split:
            raise UserError(
                f"{row.where}: the segment of {row.video} at {row.start_s:g} s "
                f"is in {first.where}, too, so it would be in both splits: "
                "take one of them out"
            )
        mids = (*first.mids, *row.mids)
        joined[row.key] = dataclasses.replace(first, mids=mids)
    return list(joined.values())


def _read_segments(file: str) -> Iterable[_Row]:
    table = csv_table.read(file, "--segments", _COLUMNS)
    split = EVAL if "eval" in os.path.basename(file).lower() else TRAIN
    in_head = True
    for line, video, start, end, labels in table.rows(*_COLUMNS):
        # Not further down: a spreadsheet turns "-id" into "#NAME?".
        in_head = in_head and (video.startswith("#") or video == _COLUMNS[0])
        if in_head:
            continue
        where = f"{table.name}, line {line}"
        if not _VIDEO.fullmatch(video):
            raise UserError(
                f"{where}: {_COLUMNS[0]} is {printable(video)!r}: an id of 11 "
                "letters, digits, - and _ is wanted; get the table anew"
            )
        start_s = _seconds(where, _COLUMNS[1], start)
        end_s = _seconds(where, _COLUMNS[2], end)
        if start_s >= end_s:
            raise UserError(
                f"{where}: {video} starts at {start} s and ends at {end} s: "
                "correct the row or take it out"
            )
        mids = tuple(mid.strip() for mid in labels.split(",") if mid.strip())
        if not mids:
            raise UserError(
                f"{where}: {_COLUMNS[3]} of {video} is empty: correct the row "
                "or take it out"
            )
        yield _Row(table.name, line, split, video, start_s, end_s, mids)
    if in_head:
        raise UserError(f"{table.name} has no row")


def _seconds(where: str, column: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UserError(
            f"{where}: {column} is {printable(cell)!r}: seconds, 0 or more, "
            "are wanted; quote cells that hold a comma"
        )
    return value


def _read_classes(file: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Display names by index, and the display name of each mid."""
    table = csv_table.read(file, "--class_labels")
    for column in ("index", "mid", "display_name"):
        table.require(column, "is it class_labels_indices.csv?")
    numbers = table.rows("index", "display_name")
    class_names = label_table.names_by_number(numbers, table.name)
    name_of: dict[str, str] = {}
    for line, mid, name in table.rows("mid", "display_name"):
        if not mid or name_of.setdefault(mid, name) != name:
            raise UserError(
                f"{table.name}, line {line}: the mid of {name!r} is "
                + (f"{mid!r}, as of {name_of[mid]!r}" if mid else "empty")
                + ": each class has a mid of its own"
            )
    return class_names, name_of
