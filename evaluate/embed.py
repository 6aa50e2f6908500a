"""From a representation and shards to an embedding store."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from data import audio_codec, example_schema, record_reader
from data.dataset_info import DatasetInfo
from data.progress import Progress
from data.user_error import UserError
from evaluate.embedding_store import EmbeddingStore
from evaluate.representation import BATCH_WINDOWS, Representation


def embed_dataset(
    representation: Representation,
    info: DatasetInfo,
    splits: Sequence[str],
    progress: Progress | None = None,
) -> EmbeddingStore:
    """Embeds every clip of the splits, in stored order.

    A clip is cut by its own length and its windows are encoded in batches of
    one size, so its embedding equals the encoder's for that clip alone.

    Args:
      representation: what encodes.
      info: the shards.
      splits: names of splits.
      progress: told the number of clips read.

    Raises:
      UserError: the sample rates differ, a split is unknown or empty, a shard
        is damaged, or an embedding is not finite.
    """
    check_sample_rate(representation, info)

    def cut(record):
        clip = example_schema.parse(record)
        audio = audio_codec.decode(
            clip[example_schema.AUDIO], info.audio_format
        )
        return (
            clip[example_schema.CLIP_ID],
            clip[example_schema.LABELS],
            representation.cut_windows(audio),
        )

    clips = record_reader.read_in_order(info, splits).map(
        cut, num_parallel_calls=2, deterministic=True
    )
    clip_ids, clip_labels, counts = [], [], []
    vectors, waiting = [], []
    try:
        for clip_id, labels, windows in clips.prefetch(4).as_numpy_iterator():
            clip_ids.append(clip_id.decode())
            clip_labels.append(labels)
            counts.append(len(windows))
            waiting.append(windows)
            if sum(map(len, waiting)) >= BATCH_WINDOWS:
                full, rest = _split_full(np.concatenate(waiting))
                vectors.append(representation.encode(full))
                waiting = [rest]
            if progress:
                progress.update(len(clip_ids))
    except tf.errors.DataLossError as error:
        raise UserError(
            f"a shard of {info.folder} is damaged after "
            f"{len(clip_ids)} clips: write the shards again"
        ) from error
    waiting = np.concatenate(waiting)
    if len(waiting):
        vectors.append(representation.encode(waiting))
    if progress:
        progress.finish()
    store = EmbeddingStore(
        windows=np.concatenate(vectors),
        window_clip=np.repeat(np.arange(len(counts)), counts),
        clip_ids=tuple(clip_ids),
        labels=_multi_hot(clip_labels, len(info.class_names)),
        class_names=info.class_names,
    )
    _check_finite(store, representation.name)
    return store


def check_sample_rate(
    representation: Representation, info: DatasetInfo
) -> None:
    """Refuses shards at another rate than the encoder was trained at."""
    if info.sample_rate_hz != representation.sample_rate_hz:
        raise UserError(
            f"{representation.name} takes audio at "
            f"{representation.sample_rate_hz} Hz, {info.folder} has "
            f"{info.sample_rate_hz} Hz: write shards at the former"
        )


def _split_full(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    full = len(windows) - len(windows) % BATCH_WINDOWS
    return windows[:full], windows[full:]


def _multi_hot(clip_labels: Sequence[np.ndarray], classes: int) -> np.ndarray:
    multi_hot = np.zeros((len(clip_labels), classes), np.uint8)
    for row, labels in zip(multi_hot, clip_labels, strict=True):
        row[labels] = 1
    return multi_hot


def _check_finite(store: EmbeddingStore, name: str) -> None:
    broken = ~np.isfinite(store.windows).all(axis=1)
    if broken.any():
        first = store.clip_ids[store.window_clip[broken.argmax()]]
        raise UserError(
            f"{name} gives NaN or infinity for {broken.sum()} of "
            f"{len(broken)} windows (first in clip {first}): its training "
            "diverged"
        )
