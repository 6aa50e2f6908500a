"""From a representation and a shard to an embedding store."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data.audio import codec
from data.run.errors import UserError
from data.shards import example_schema, record_check
from data.shards.dataset_info import DatasetInfo
from data.shards.record_index import RecordIndex
from data.shards.record_reader import examples_in_order
from evaluate.embeddings.embedding_store import EmbeddingStore
from evaluate.embeddings.encoders import Representation
from models.numerics.valid_waveform import WHY_NOT, is_valid


def embed_shard(
    representation: Representation,
    index: RecordIndex,
    advance: Callable[[], None] = lambda: None,
) -> tuple[EmbeddingStore, list[int]]:
    """Embeds every clip of a shard, in stored order.

    A clip is cut by its own length and its windows are encoded in batches of
    one size, so its embedding equals the encoder's for that clip alone.

    Args:
      representation: what encodes.
      index: of the records of the shard.
      advance: called for each clip.

    Returns:
      The embeddings, and the numbers of the records that cannot be used.

    Raises:
      UserError: a clip is not valid (see `valid_waveform`), or an embedding
        not finite.
    """
    info, cut = index.info, _cut_of(representation, index.info)
    clip_ids, clip_labels, counts, vectors, waiting = [], [], [], [], []
    failed: list[int] = []
    clips = examples_in_order(index, cut, failed.extend)
    for clip_id, labels, windows, valid in clips:
        if not valid:
            raise UserError(
                f"clip {clip_id.decode()} of {info.folder} {WHY_NOT}"
            )
        clip_ids.append(clip_id.decode())
        clip_labels.append(labels)
        counts.append(len(windows))
        waiting.append(windows)
        if sum(map(len, waiting)) >= representation.batch_windows:
            joined = np.concatenate(waiting)
            full = len(joined) - len(joined) % representation.batch_windows
            vectors.append(representation.encode(joined[:full]))
            waiting = [joined[full:]] if full < len(joined) else []
        advance()
    if waiting or not vectors:
        # A shard without a usable clip gives (0, d).
        none = np.zeros((0, 0), np.float32)
        vectors.append(representation.encode(np.concatenate(waiting or [none])))
    multi_hot = np.zeros((len(counts), len(info.class_names)), np.uint8)
    for row, labels in zip(multi_hot, clip_labels, strict=True):
        row[labels] = 1
    store = EmbeddingStore(
        windows=np.concatenate(vectors),
        window_clip=np.repeat(np.arange(len(counts)), counts),
        clip_ids=tuple(clip_ids),
        labels=multi_hot,
        class_names=info.class_names,
    )
    broken = ~np.isfinite(store.windows).all(axis=1)
    if broken.any():
        first = store.clip_ids[store.window_clip[broken.argmax()]]
        raise UserError(
            f"{representation.name} gives NaN or infinity for {broken.sum()} "
            f"of {len(broken)} windows (first in clip {first}): its training "
            "diverged"
        )
    return store, failed


@functools.lru_cache(maxsize=4)  # Of all shards of a job, it is one.
def _cut_of(representation: Representation, info: DatasetInfo) -> Callable:
    """From a record to clip id, labels, windows and whether it is valid."""

    def cut(record):
        clip_id, labels, audio = decode_clip(record, info)
        windows = representation.cut_windows(audio)
        return clip_id, labels, windows, is_valid(audio)

    return cut


def decode_clip(
    serialized: tf.Tensor, info: DatasetInfo
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A record's clip id, labels and mixture (T,) float32, in the graph.

    A clip for which this fails has no embedding.
    """
    clip = record_check.parse_checked(serialized, info)
    audio = codec.decode(clip[example_schema.AUDIO], info.audio_format)
    return clip[example_schema.CLIP_ID], clip[example_schema.LABELS], audio
