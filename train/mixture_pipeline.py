"""Shards to batches of mixture pairs, for MixIT."""

import tensorflow as tf

from data import audio_codec, example_schema, record_reader
from data.dataset_info import DatasetInfo


def batches_of_pairs(
    info: DatasetInfo,
    splits: tuple[str, ...],
    crop_samples: int,
    batch_size: int,
    seed: int,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Endless batches of two clips each, cut at random times.

    Neighbours of the shuffled stream make a pair; a clip shorter than the
    crop is padded with zeros.

    Returns:
      Batches (batch_size, 2, crop_samples) float32.
    """

    def to_crop(position, record):
        clip = example_schema.parse(record)
        last = tf.maximum(clip[example_schema.NUM_SAMPLES] - crop_samples, 0)
        start = tf.random.stateless_uniform(
            [],
            seed=tf.stack([tf.cast(seed, tf.int64), position]),
            maxval=last + 1,
            dtype=tf.int64,
        )
        return audio_codec.decode_crop(
            clip[example_schema.AUDIO], start, crop_samples, info.audio_format
        )

    records = record_reader.read_shuffled(
        info, splits, seed, 2 * batch_size * start_step
    )
    return (
        records.map(to_crop, num_parallel_calls=2, deterministic=True)
        .batch(2, drop_remainder=True)
        .batch(batch_size, drop_remainder=True)
        .prefetch(2)
    )
