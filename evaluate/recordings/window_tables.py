"""Tables of embedded recordings: of their windows, and of the files."""

import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow
from pyarrow import parquet

from data.run import csv_table
from data.run.atomic_write import atomic_path
from evaluate.recordings.window_file import WindowFile

CSV, PARQUET = "csv", "parquet"
FORMATS = (CSV, PARQUET)


class _Rows(NamedTuple):
    """Those of one recording."""

    file: str
    start_s: np.ndarray
    end_s: np.ndarray
    vectors: np.ndarray


def write(
    folder: pathlib.Path,
    recordings: Sequence[tuple[str, str]],
    embedding_dim: int,
    formats: Collection[str],
) -> None:
    """Writes the tables `windows` and `files`, each whole or not at all.

    Columns: file, start_seconds, end_seconds, and the embedding: a list in
    Parquet, e0, e1, ... in a CSV. A file's is the mean over its windows.

    Args:
      folder: where they go.
      recordings: name of each, and of its `WindowFile` in `folder`.
      embedding_dim: d.
      formats: of `FORMATS`; tables of the others are removed.
    """
    for name, rows in (("windows", _of_windows), ("files", _of_files)):
        for suffix, write_table in (
            (CSV, _write_csv),
            (PARQUET, _write_parquet),
        ):
            table = folder / f"{name}.{suffix}"
            if suffix in formats:
                found = (
                    rows(recording, WindowFile.load(folder / file))
                    for recording, file in recordings
                )
                write_table(table, found, embedding_dim)
            else:
                table.unlink(missing_ok=True)


def _of_windows(name: str, file: WindowFile) -> _Rows:
    return _Rows(name, file.start_s, file.end_s, file.vectors)


def _of_files(name: str, file: WindowFile) -> _Rows:
    return _Rows(name, np.zeros(1), np.array([file.seconds]), file.mean()[None])


def _write_csv(
    path: pathlib.Path, found: Iterator[_Rows], embedding_dim: int
) -> None:
    def lines():
        numbers = (f"e{number}" for number in range(embedding_dim))
        yield "file", "start_seconds", "end_seconds", *numbers
        for file, start_s, end_s, vectors in found:
            for start, end, vector in zip(start_s, end_s, vectors, strict=True):
                # As short as float32 allows.
                yield file, start, end, *map(str, vector)

    csv_table.write(path, lines())


def _write_parquet(
    path: pathlib.Path, found: Iterator[_Rows], embedding_dim: int
) -> None:
    vector = pyarrow.list_(pyarrow.float32(), embedding_dim)
    schema = pyarrow.schema(
        {
            "file": pyarrow.string(),
            "start_seconds": pyarrow.float64(),
            "end_seconds": pyarrow.float64(),
            "embedding": vector,
        }
    )
    with (
        atomic_path(path) as beside,
        parquet.ParquetWriter(beside, schema) as writer,
    ):
        for file, start_s, end_s, vectors in found:
            flat = pyarrow.array(vectors.ravel())
            columns = [
                pyarrow.array([file] * len(vectors), pyarrow.string()),
                pyarrow.array(start_s),
                pyarrow.array(end_s),
                pyarrow.FixedSizeListArray.from_arrays(flat, embedding_dim),
            ]
            writer.write_batch(pyarrow.record_batch(columns, schema=schema))
