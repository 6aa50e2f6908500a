r"""Finds the clips of a collection that sound like a recording.

  python evaluate/search.py --query=dog.wav --encoder=runs/pretrain \
      --shards=runs/shards

The recording may have any length, rate and number of channels. Its embedding
is compared by cosine similarity with those of all clips, which are computed
once and kept in <encoder>/embeddings/. Prints the --top nearest clips. A
recording that is itself in the collection is not taken out: it comes first.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

import numpy as np
from absl import logging

from data.audio import sound_file
from data.audio.sound_file import AudioRejected
from data.run import entry_point, flag_fields
from data.run.errors import UserError
from data.run.flag_fields import option
from evaluate.embeddings import encoder_runs


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """The flags of this entry point."""

    query: str = option("", "the recording, of any format", required=True)
    encoder: str = option("", "run directory of pretraining", required=True)
    shards: str = option(
        "", "the collection; default: the encoder's training shards"
    )
    splits: tuple[str, ...] = option((), "splits to search in; empty: all")
    top: int = option(10, "clips to print", minimum=1)

    def __post_init__(self):
        if not self.query:
            raise ValueError("--query is empty: name a recording")


def main() -> None:
    config = flag_fields.read(SearchConfig)
    info = encoder_runs.open_shards([config.encoder], config.shards)
    splits = info.any_splits(config.splits)
    query = read_query(config.query, info.sample_rate_hz)

    from evaluate.measures import clip_search

    found = clip_search.search(query, config.encoder, info, splits, config.top)
    print(clip_search.table(found))


def read_query(path: str, sample_rate_hz: int) -> np.ndarray:
    """The recording as (T,) float32, mono.

    Raises:
      UserError: the file is missing, or cannot be used as audio.
    """
    try:
        clip = sound_file.read_clip(path, sample_rate_hz)
    except AudioRejected as error:
        raise UserError(f"--query={path}: {error.reason}") from error
    for told in filter(None, (clip.header.cut_short, clip.bad_packets)):
        logging.warning("--query=%s: %s", path, told)
    return clip.audio


if __name__ == "__main__":
    flag_fields.define(SearchConfig)
    entry_point.run(main)
