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

from data import entry_point, flag_fields
from data.flag_fields import option
from data.user_error import UserError
from evaluate import encoder_runs


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """the flags of this entry point"""

    query: str = option("", "the recording: WAV, FLAC, OGG or MP3 (required)")
    encoder: str = option("", "run directory of pretraining (required)")
    shards: str = option(
        "", "the collection; default: the encoder's training shards"
    )
    splits: tuple[str, ...] = option((), "splits to search in; empty: all")
    top: int = option(10, "clips to print", minimum=1)

    def __post_init__(self):
        if not self.query:
            raise ValueError("--query is empty: name a recording")


def main() -> None:
    search(flag_fields.read(SearchConfig))


def search(config: SearchConfig) -> list[tuple[str, float]]:
    """Runs the search; returns (clip id, similarity), nearest first."""
    info = encoder_runs.open_shards([config.encoder], config.shards)
    splits = info.any_splits(config.splits)
    info.shards_of(splits)
    audio = read_query(config.query, info.sample_rate_hz)

    from evaluate.embedding_cache import embeddings
    from evaluate.encoders import load_encoders
    from evaluate.nearest_neighbors import nearest_neighbors
    from evaluate.results import format_table, listed

    [encoder] = load_encoders([config.encoder])
    store = embeddings(encoder, info, splits)
    query = encoder.encode(encoder.cut_windows(audio)).mean(axis=0)
    index, similarity = nearest_neighbors(query[None], store.clips, config.top)
    found = [
        (store.clip_ids[i], float(value), store.labels[i])
        for i, value in zip(index[0], similarity[0], strict=True)
    ]
    rows = [
        [
            str(rank),
            f"{value:.3f}",
            clip_id,
            listed([info.class_names[c] for c in labels.nonzero()[0]]),
        ]
        for rank, (clip_id, value, labels) in enumerate(found, start=1)
    ]
    header = ["rank", "cosine", "clip", "labels"]
    print(format_table(header, rows, right=("rank", "cosine")))
    return [(clip_id, value) for clip_id, value, _ in found]


def read_query(path: str, sample_rate_hz: int):
    """The recording as (T,) float32, mono.

    Raises:
      UserError: the file is missing, or cannot be used as audio.
    """
    from data.audio_file import AudioRejected, read_clip

    try:
        return read_clip(path, sample_rate_hz).audio
    except AudioRejected as error:
        raise UserError(f"--query={path}: {error.reason}") from error


if __name__ == "__main__":
    flag_fields.define(SearchConfig)
    entry_point.run(main)
