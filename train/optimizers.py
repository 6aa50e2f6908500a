"""The optimizer that flags describe."""

import keras

from train.guarded_update import sums_no_gradients
from train.lars import LARS
from train.training_options import TrainingOptions


def learning_rate(
    options: TrainingOptions,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Warm-up and cosine decay where asked, by step."""
    rate = options.learning_rate
    if not options.cosine_decay and not options.warmup_steps:
        return rate
    # alpha=1 holds the rate after the warm-up.
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if options.warmup_steps else rate,
        warmup_target=rate if options.warmup_steps else None,
        warmup_steps=options.warmup_steps,
        decay_steps=max(1, options.steps - options.warmup_steps),
        alpha=0.0 if options.cosine_decay else 1.0,
    )


def make_optimizer(
    options: TrainingOptions, model: keras.Model
) -> keras.optimizers.Optimizer:
    """Built for the model; takes gradients of the global batch.

    Weight decay leaves out biases and norms: all that has one dimension.
    """
    rate, decay = learning_rate(options), options.weight_decay
    if options.optimizer == "lars":
        optimizer = LARS(rate, weight_decay=decay)
    elif options.optimizer == "adam":
        optimizer = keras.optimizers.Adam(rate)
    else:
        makers = {
            "adamw": keras.optimizers.AdamW,
            "lamb": keras.optimizers.Lamb,
        }
        optimizer = makers[options.optimizer](rate, weight_decay=decay)
        optimizer.exclude_from_weight_decay(
            [v for v in model.trainable_variables if len(v.shape) <= 1]
        )
    optimizer = sums_no_gradients(optimizer)
    if options.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer
