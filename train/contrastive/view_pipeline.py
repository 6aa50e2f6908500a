"""Shards to batches of view pairs: the augmentation front end on waveforms."""

import dataclasses

import tensorflow as tf

from data.audio import codec
from data.shards import example_schema
from data.shards.record_check import parse_checked
from data.shards.record_index import RecordIndex
from data.shards.record_reader import shuffled_examples
from models.views.triplet_positive import NUM_DRAWS as NUM_TRIPLET_DRAWS
from models.views.view_choice import (
    MIXTURE,
    choose,
    choose_signals,
    crop_starts,
    replace_silent,
)

# Uniform numbers of an example: processor, two signals, two times.
NUM_VIEW_DRAWS = 5

# Keys of a batch.
VIEWS = "views"  # (B, 2, view samples) float32
AUGMENT = "augment"  # (B, 2, draws of SpecAugment) in [0, 1)
# In place of VIEWS, for clips that are separated inside the step.
MIXTURES = "mixtures"  # (B, clip samples) float32
LENGTHS = "lengths"  # (B,) samples of each clip
DRAWS = "draws"  # (B, NUM_VIEW_DRAWS) in [0, 1)
# For the triplet objective only.
POSITIVE = "positive"  # (B, draws of TripletPositive) in [0, 1)
NOISE = "noise"  # (B, frames, bands) standard normal


@dataclasses.dataclass(frozen=True)
class ViewSpec:
    """How views are taken from a clip.

    Attributes:
      comparison: one of `view_choice.COMPARISONS`.
      processors: names of the processors drawn from (OR rule).
      num_channels: M, channels of each.
      view_samples: length of a view.
      max_offset_samples: temporal proximity.
      silence_db: see `replace_silent`.
      augment_draws: uniform numbers each view's SpecAugment takes; 0 for none.
      triplet_patch: frames and bands of a patch, for a triplet's positive;
        None without triplets.
    """

    comparison: str
    processors: tuple[str, ...]
    num_channels: int
    view_samples: int
    max_offset_samples: int
    silence_db: float
    augment_draws: int
    triplet_patch: tuple[int, int] | None = None

    def draw(self, seed: int, position: tf.Tensor) -> dict[str, tf.Tensor]:
        """Random numbers of the example at `position`.

        Returns:
          {DRAWS: (NUM_VIEW_DRAWS,) for its views, AUGMENT: (2,
          augment_draws)}, and for a triplet POSITIVE: (NUM_TRIPLET_DRAWS,),
          all in [0, 1), and NOISE: `triplet_patch`, standard normal.
        """
        sizes = [NUM_VIEW_DRAWS, 2 * self.augment_draws]
        if self.triplet_patch:
            sizes.append(NUM_TRIPLET_DRAWS)
        key = tf.stack([tf.cast(seed, tf.int64), position])
        uniform = tf.random.stateless_uniform([sum(sizes)], key, alg="philox")
        draws, augment, *positive = tf.split(uniform, sizes)
        numbers = {
            DRAWS: draws,
            AUGMENT: tf.reshape(augment, [2, self.augment_draws]),
        }
        if self.triplet_patch:
            numbers[POSITIVE] = positive[0]
            # A key of its own, or it would repeat the bits of the others.
            numbers[NOISE] = tf.random.stateless_normal(
                self.triplet_patch,
                tf.random.fold_in(key, 1, alg="philox"),
                alg="philox",
            )
        return numbers

    def processor(self, draws: tf.Tensor) -> tf.Tensor:
        """Index of the processor drawn: draws (..., n) -> (...,) int32."""
        return choose(draws[..., 0], max(1, len(self.processors)))

    def take(self, crop, draws: tf.Tensor, num_samples: tf.Tensor):
        """The two views of one clip, or of each clip of a batch.

        Args:
          crop: (signal (...,), start (...,)) -> (..., view_samples), of the
            mixture (signal 0) or a channel of the processor drawn.
          draws: (..., NUM_VIEW_DRAWS).
          num_samples: (...,) lengths of the clips.

        Returns:
          (..., 2, view_samples).
        """
        _, source_a, source_b, time_a, time_b = tf.unstack(draws, axis=-1)
        signals = choose_signals(
            source_a, source_b, self.comparison, self.num_channels
        )
        starts = crop_starts(
            time_a,
            time_b,
            num_samples,
            self.view_samples,
            self.max_offset_samples,
        )
        views = []
        for signal, start in zip(signals, starts, strict=True):
            view = crop(signal, start)
            if self.comparison != "mix_vs_mix":
                mixture = crop(tf.zeros_like(signal) + MIXTURE, start)
                view = replace_silent(view, mixture, self.silence_db)
            views.append(view)
        return tf.stack(views, axis=-2)


def batches(
    index: RecordIndex,
    spec: ViewSpec,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    context: tf.distribute.InputContext | None = None,
    clip_samples: int | None = None,
) -> tf.data.Dataset:
    """Endless batches of views, or of what they are made of in the step.

    Views come from channels that the shards carry: only the two crops of each
    clip are decoded, never the rest of it.

    Args:
      batch_size: clips of the global batch.
      seed, start_step: which data come, and from where.
      context: which part of each global batch; None: all of it.
      clip_samples: length to which whole clips are cut or padded that are
        separated in the step; None: views.

    Returns:
      Batches {VIEWS: (n, 2, view_samples)}, or {MIXTURES: (n, clip_samples),
      LENGTHS: (n,), DRAWS: (n, NUM_VIEW_DRAWS)}, with AUGMENT: (n, 2,
      augment_draws), and POSITIVE and NOISE for triplets; each with POSITION
      and FAILED (n,) of `shuffled_examples`. n is the share of one replica.
    """
    info = index.info

    def to_views(position, record):
        clip = parse_checked(record, info, spec.processors)
        numbers = spec.draw(seed, position)
        draws = numbers.pop(DRAWS)
        encoded = clip[example_schema.AUDIO][None]
        if spec.processors:
            keys = map(example_schema.channels_key, spec.processors)
            channels = tf.stack([clip[key] for key in keys])  # (P, M)
            encoded = tf.concat(
                [encoded, channels[spec.processor(draws)]], axis=0
            )  # (1 + M,)

        def crop(signal, start):
            return codec.decode_crop(
                encoded[signal], start, spec.view_samples, info.audio_format
            )

        views = spec.take(crop, draws, clip[example_schema.NUM_SAMPLES])
        return {VIEWS: views, **numbers}

    def to_clip(position, record):
        clip = parse_checked(record, info)
        mixture = codec.decode_crop(
            clip[example_schema.AUDIO], 0, clip_samples, info.audio_format
        )
        length = tf.minimum(clip[example_schema.NUM_SAMPLES], clip_samples)
        numbers = spec.draw(seed, position)
        return {MIXTURES: mixture, LENGTHS: length, **numbers}

    context = context or tf.distribute.InputContext()
    examples = shuffled_examples(
        index,
        to_views if clip_samples is None else to_clip,
        seed,
        start_step * batch_size,
        context.input_pipeline_id,
        context.num_input_pipelines,
        batch_size // context.num_input_pipelines,
    )
    of_replica = context.get_per_replica_batch_size(batch_size)
    # Two steps of this pipeline.
    of_pipeline = context.num_replicas_in_sync // context.num_input_pipelines
    return examples.batch(of_replica, drop_remainder=True).prefetch(
        2 * of_pipeline
    )
