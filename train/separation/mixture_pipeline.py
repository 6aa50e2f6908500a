"""Shards to batches of mixture pairs, for MixIT."""

import tensorflow as tf

from data.audio import codec
from data.run.errors import UserError
from data.shards import example_schema
from data.shards.record_check import parse_checked
from data.shards.record_index import RecordIndex
from data.shards.record_reader import shuffled_examples


def check_pairs(index: RecordIndex) -> None:
    """Raises `UserError` where no two clips can be added."""
    if len(index.present) < 2:
        raise UserError(
            f"{index.info.folder} has one clip to train on, and MixIT adds "
            "two: write shards with more clips, or name more --splits"
        )


def batches_of_pairs(
    index: RecordIndex,
    crop_samples: int,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
) -> tf.data.Dataset:
    """Endless batches of two clips each, cut at random times.

    Neighbours of the shuffled stream make a pair, never a clip with itself; a
    clip shorter than the crop is padded with zeros.

    Args:
      index: of the records.
      crop_samples: T.
      batch_size: pairs of the global batch.
      seed, start_step: which data come, and from where.
      context: which part of each global batch; None: all of it.

    Returns:
      Batches (n, 2, crop_samples) float32, each with POSITION and FAILED
      (n, 2), where n is the share of one replica.

    Raises:
      UserError: there is only one clip.
    """
    check_pairs(index)
    context = context or tf.distribute.InputContext()
    audio_format = index.info.audio_format

    def to_crop(position, record):
        clip = parse_checked(record, index.info)
        last = tf.maximum(clip[example_schema.NUM_SAMPLES] - crop_samples, 0)
        start = tf.random.stateless_uniform(
            [],
            seed=tf.stack([tf.cast(seed, tf.int64), position]),
            maxval=last + 1,
            dtype=tf.int64,
            alg="philox",
        )
        return codec.decode_crop(
            clip[example_schema.AUDIO], start, crop_samples, audio_format
        )

    crops = shuffled_examples(
        index,
        to_crop,
        seed,
        2 * batch_size * start_step,
        context.input_pipeline_id,
        context.num_input_pipelines,
        2 * batch_size // context.num_input_pipelines,
    )
    of_replica = context.get_per_replica_batch_size(batch_size)
    # Two steps of this pipeline.
    of_pipeline = context.num_replicas_in_sync // context.num_input_pipelines
    return (
        crops.batch(2, drop_remainder=True)
        .batch(of_replica, drop_remainder=True)
        .prefetch(2 * of_pipeline)
    )
