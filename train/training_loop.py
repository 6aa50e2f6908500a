"""The loop under both trainers: steps, history, checkpoints, resume."""

import csv
import math
import os
import pathlib
import signal
from collections.abc import Callable

import keras
import tensorflow as tf
from absl import logging

from data.atomic_write import write_text
from data.progress import Progress
from data.record_index import RecordIndex
from data.user_error import UserError
from train.failed_reads import FailedReads
from train.training_options import TrainingOptions

HISTORY_FILE = "history.csv"
CHECKPOINT_FOLDER = "checkpoints"


def prepare(options: TrainingOptions) -> None:
    """Seeds and precision, before any layer is made.

    On one CPU device the same seed gives the same weights, bit for bit, also
    across a resume; across other devices, versions or thread counts of the
    kernels it holds to rounding only.
    """
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_global_policy(options.precision)


def make_optimizer(options: TrainingOptions) -> keras.optimizers.Optimizer:
    """Adam, with warm-up and cosine decay where asked."""
    rate = options.learning_rate
    if options.cosine_decay or options.warmup_steps:
        # alpha=1 holds the rate after the warm-up.
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if options.warmup_steps else rate,
            warmup_target=rate if options.warmup_steps else None,
            warmup_steps=options.warmup_steps,
            decay_steps=max(1, options.steps - options.warmup_steps),
            alpha=0.0 if options.cosine_decay else 1.0,
        )
    optimizer = keras.optimizers.Adam(rate)
    if options.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def train(
    learner: keras.Model,
    make_dataset: Callable[[int], tf.data.Dataset],
    options: TrainingOptions,
    folder: pathlib.Path,
    index: RecordIndex,
    at_step: Callable[[int], None] | None = None,
) -> None:
    """Trains to `options.steps`, from the last checkpoint of the folder.

    Args:
      learner: a model with `optimizer` set and its own
        `train_step(batch) -> dict of scalars` that holds "loss".
      make_dataset: step -> batches from that step on, each with POSITION and
        FAILED of its examples as of `record_reader.shuffled_examples`. It
        must be a function of the step, so that a resumed run sees what
        another would have seen.
      options: steps and intervals.
      folder: the run directory.
      index: of the records behind the batches; those that cannot be read are
        listed in the run directory.
      at_step: called with 0 before training, then after each step.

    Raises:
      UserError: the loss is not finite, too many records cannot be read, or
        no checkpoint can.
    """
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    learner.optimizer.build(learner.trainable_variables)
    # TensorFlow looks into no list of layers, and sees no random state of a
    # dropout; the weights it finds through the optimizer.
    statistics = [v.value for v in learner.non_trainable_variables]
    checkpoint = tf.train.Checkpoint(
        learner=learner, step=step, statistics=statistics
    )
    manager = tf.train.CheckpointManager(
        checkpoint, str(folder / CHECKPOINT_FOLDER), max_to_keep=2
    )
    _restore_latest(checkpoint, manager)
    start = int(step)
    if start == 0 and at_step:
        at_step(0)
    if start >= options.steps:
        return
    history = _History(folder / HISTORY_FILE, start)
    reads = FailedReads(index, options, folder)

    @tf.function(jit_compile=False)
    def run_step(iterator):
        batch, health = next(iterator)
        return learner.train_step(batch), health

    def save():
        history.flush(int(step))
        manager.save(checkpoint_number=int(step))

    progress = Progress("step", options.steps, "steps", done=start)
    batches = iter(make_dataset(start))
    previous_handler = signal.signal(signal.SIGTERM, _interrupt)
    try:
        for done in range(start + 1, options.steps + 1):
            try:
                scalars, health = run_step(batches)
            except tf.errors.InvalidArgumentError as error:
                reads.explain(error)
                raise
            history.add(scalars)
            reads.add(health)
            step.assign(done)
            if done % options.log_every == 0 or done == options.steps:
                history.flush(done)
                reads.flush()
            if done % options.checkpoint_every == 0 or done == options.steps:
                save()
            if at_step:
                at_step(done)
            progress.update(done, history.note)
    except KeyboardInterrupt:
        save()
        logging.info("Stopped at step %d; run again to go on.", int(step))
        raise
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
    progress.finish(history.note)


def last_step(folder: pathlib.Path) -> int:
    """Step of the newest checkpoint in a run directory; 0 without one."""
    latest = tf.train.latest_checkpoint(str(folder / CHECKPOINT_FOLDER))
    return int(latest.rsplit("-", 1)[1]) if latest else 0


def _interrupt(signum, frame):
    raise KeyboardInterrupt


def _restore_latest(
    checkpoint: tf.train.Checkpoint, manager: tf.train.CheckpointManager
) -> None:
    """Restores the newest checkpoint that can be read."""
    for path in reversed(manager.checkpoints):
        try:
            checkpoint.restore(path).assert_existing_objects_matched()
            return
        except (IndexError, tf.errors.OpError) as error:
            reason = str(error).splitlines()[0]
            logging.warning("%s cannot be read (%s)", path, reason)
    if manager.checkpoints:
        raise UserError(
            f"no checkpoint in {manager.directory} can be read: delete that "
            "folder to start again"
        )


class _History:
    """history.csv: means of the step's scalars since the row before."""

    def __init__(self, path: pathlib.Path, start: int):
        self._path = path
        self._sums, self._count = None, 0
        self.note = ""
        if path.exists():
            # Rows after the checkpoint belong to steps that are run again.
            header, *rows = path.read_text().splitlines()
            kept = [r for r in rows if int(r.split(",")[0]) <= start]
            write_text(path, "\n".join([header, *kept]) + "\n")

    def add(self, scalars: dict[str, tf.Tensor]) -> None:
        # Summed on the device: reading a value would wait for the step.
        if self._sums is None:
            self._sums = dict(scalars)
        else:
            for name, value in scalars.items():
                self._sums[name] += value
        self._count += 1

    def flush(self, step: int) -> None:
        if not self._count:
            return
        means = {n: float(s) / self._count for n, s in self._sums.items()}
        self._sums, self._count = None, 0
        if not math.isfinite(means["loss"]):
            raise UserError(
                f"the loss is {means['loss']} before step {step}: lower "
                "--learning_rate and run again from the last checkpoint"
            )
        self.note = ", ".join(f"{n} {v:.4g}" for n, v in means.items())
        new = not self._path.exists()
        with self._path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", *means])
            writer.writerow([step, *means.values()])
            file.flush()
            os.fsync(file.fileno())
