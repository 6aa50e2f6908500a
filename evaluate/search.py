r"""Finds what sounds like a recording, or like a place of it.

  python evaluate/embed.py --encoder=runs/pretrain --input=field \
      --output=runs/field
  python evaluate/search.py --query="dog.wav#1.5-3" --collection=runs/field
  python evaluate/search.py --query=dog.wav --encoder=runs/pretrain \
      --shards=runs/shards

The query may have any length, rate and number of channels; #start-end, in
seconds, takes a part of it. Its embedding, the mean over its windows, is
compared by cosine similarity. Prints the --top nearest:

- of a --collection, sound files that embed.py has embedded: places in
  recordings. Of places that overlap, the nearest is told alone. --csv writes
  them to a file too; --exclude_query passes over the query's own file, which
  comes first where it is there.
- of shards: clips. Their embeddings are computed once and kept in
  <encoder>/embeddings/.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import content, csv_table, entry_point, flag_fields
from data.run.encoder_files import model_file
from data.run.flag_fields import option
from evaluate.embeddings import encoder_runs
from evaluate.recordings import query_sound, window_store

_OF_FILES = {"collection": ()}


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """The flags of this entry point."""

    query: str = option(
        "", "the recording, of any format; FILE#1.5-3: a part", required=True
    )
    top: int = option(10, "places or clips to print", minimum=1)
    encoder: str = option(
        "", "run directory of pretraining; default: that of the collection"
    )
    collection: str = option(
        "", "an output of embed.py --input", group="Sound files"
    )
    csv: str = option("", "file to write the places to", needs=_OF_FILES)
    exclude_query: bool = option(
        False, "leave out the query's own file", needs=_OF_FILES
    )
    shards: str = option(
        "",
        "the collection; default: the encoder's training shards",
        group="Shards",
    )
    splits: tuple[str, ...] = option((), "splits to search in; empty: all")

    def __post_init__(self):
        if not self.query:
            raise ValueError("--query is empty: name a recording")
        if self.collection and self.shards:
            raise ValueError(
                "--collection names sound files and --shards clips: name one "
                "of them"
            )


def main() -> None:
    config = flag_fields.read(SearchConfig)
    if config.collection:
        _search_recordings(config)
    else:
        _search_shards(config)


def _search_recordings(config: SearchConfig) -> None:
    index = window_store.read_index(config.collection)
    encoder = config.encoder or encoder_runs.encoder_of(config.collection)
    model_file(encoder)
    query = query_sound.read(config.query, index["sample_rate_hz"])
    without = None
    if config.exclude_query:
        without = content.file_sha256(query_sound.file_of(config.query))

    from evaluate.recordings import window_search

    found = window_search.search(
        query,
        encoder,
        config.collection,
        config.top,
        without,
    )
    if config.csv:
        csv_table.write(config.csv, window_search.rows(found))
    print(window_search.table(found))


def _search_shards(config: SearchConfig) -> None:
    info = encoder_runs.open_shards([config.encoder], config.shards)
    splits = info.any_splits(config.splits)
    query = query_sound.read(config.query, info.sample_rate_hz)

    from evaluate.measures import clip_search

    found = clip_search.search(query, config.encoder, info, splits, config.top)
    print(clip_search.table(found))


if __name__ == "__main__":
    flag_fields.define(SearchConfig)
    entry_point.run(main)
