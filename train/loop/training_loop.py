"""The loop under both trainers."""

import contextlib
import dataclasses
import functools
import pathlib
import re
import tempfile
import zlib
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from data.jobs.progress import Progress
from data.run.errors import Stopped, UserError
from data.shards.record_index import RecordIndex
from train.loop import cluster, distribution
from train.loop.checkpoints import Checkpoints
from train.loop.last_step import last_step
from train.loop.step_records import StepRecords
from train.loop.stop_signal import StopSignal
from train.loop.training_log import Step, TrainingLog
from train.loop.training_options import TrainingOptions

# What TensorFlow raises where another process has gone.
_LOST_PROCESS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)

MakeDataset = Callable[[int, tf.distribute.InputContext], tf.data.Dataset]
"""(step, context) -> what one replica sees from that step on.

Elements are (batch, read status): POSITION and FAILED of the batch's examples,
as of `record_reader.shuffled_examples`. It must be a function of both
arguments, so that a resumed run sees what another would have seen.
"""


def prepare(options: TrainingOptions) -> tf.distribute.Strategy:
    """Devices, seeds and precision, before any layer is made.

    On one CPU device the same seed gives the same weights, bit for bit, also
    across a resume; across other devices, versions or thread counts of the
    kernels it holds to rounding only.

    Returns:
      The strategy; whatever has variables is to be made in its scope.

    Raises:
      UserError: see `distribution.make_strategy`.
    """
    strategy = distribution.make_strategy(options)
    keras.utils.set_random_seed(options.seed)
    tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_global_policy(options.precision)
    if not tf.config.list_physical_devices("GPU"):
        # For CPUs it makes the steps no faster, and the first one later.
        tf.config.optimizer.set_experimental_options(
            {"disable_meta_optimizer": True}
        )
    return strategy


def train(
    strategy: tf.distribute.Strategy,
    learner: keras.Model,
    make_dataset: MakeDataset,
    options: TrainingOptions,
    folder: pathlib.Path,
    index: RecordIndex,
    at_step: Sequence[Callable[[int], None]] = (),
) -> None:
    """Trains to `options.steps`, from the last checkpoint of the folder.

    Args:
      strategy: of `prepare`.
      learner: made in its scope, with an optimizer of `make_optimizer`. Its
        `train_step(batch)` and `diagnostics(batch)` give shares (see
        `cross_replica`) of named scalars; those of the first hold "loss" and
        "skipped" (see `GuardedUpdate`).
      make_dataset: see `MakeDataset`.
      options: steps and intervals.
      index: of the records behind the batches; those that cannot be read are
        listed in the run directory.
      at_step: each called with 0 before training and with every step after
        it; with a step again, where a run was killed before it was saved. In
        the first process only, with TensorBoard's writer as the default.

    Raises:
      Stopped: by a signal; the run can go on.
      UserError: too many records cannot be read, too many steps are not
        finite, or no checkpoint can be read.
    """
    checkpoints = Checkpoints(learner, options)
    start = checkpoints.restore(folder)
    processes = cluster.of(options.strategy)
    distribution.separate_random_states(learner, strategy, processes.worker)
    if processes.num_workers > 1:
        _check_all_agree(strategy, start, options)
    if 0 < start >= options.steps:
        return
    devices = _Devices(strategy, learner)
    with contextlib.ExitStack() as stack:
        if not processes.is_chief:
            # All of them save: a variable may need every process to be read.
            own = stack.enter_context(tempfile.TemporaryDirectory())
            folder, at_step = pathlib.Path(own), ()
        shows = options.tensorboard and processes.is_chief
        log = TrainingLog(folder, start, options.batch_size, shows)
        stack.callback(log.writer.close)
        stack.enter_context(log.writer.as_default())
        records = StepRecords(index, options, folder, start)
        if start == 0:
            with records.explained(()):
                for function in at_step:
                    function(0)
            if options.steps == 0:
                return
        batches = iter(
            strategy.distribute_datasets_from_function(
                lambda context: make_dataset(start, context)
            )
        )
        progress = Progress("step", options.steps, "steps", done=start)
        stop = stack.enter_context(StopSignal(processes.num_workers))
        # Since the last row of the log.
        steps = []
        for number in range(start + 1, options.steps + 1):
            with log.waiting(), records.explained(steps):
                batch, read_status = next(batches)
            scalars, read_status, votes = devices.train(
                batch, read_status, stop.vote()
            )
            steps.append(Step(number, scalars, read_status))
            # A run killed before it is saved comes by here once more.
            with records.explained(steps):
                for function in at_step:
                    function(number)
            ends = stop.is_asked(votes) or number == options.steps
            saves = ends or number % options.checkpoint_every == 0
            if saves or number % options.log_every == 0:
                log.flush(steps, devices.figures(batch))
                records.flush(steps)
                steps.clear()
            if saves:
                checkpoints.save(folder, number)
            if processes.is_chief:
                progress.update(number, log.note)
            if ends:
                break
    if processes.is_chief:
        progress.finish(log.note)
    if number < options.steps:
        raise Stopped(
            f"{stop.reason}; step {number} is saved, run again to go on"
        )


def tells_of_lost_processes(trainer):
    """Decorates a trainer, called with its options, shards and folder.

    It raises `Stopped` where another process was lost, which may be as early
    as the model is made.
    """

    @functools.wraps(trainer)
    def told(options, info, folder):
        try:
            return trainer(options, info, folder)
        except _LOST_PROCESS as error:
            if cluster.of(options.strategy).num_workers == 1:
                raise
            # The rest is about nodes of TensorFlow's graph.
            found = re.search("aborted by: (.+)", error.message)
            reason = found[1] if found else type(error).__name__
            raise Stopped(
                f"another process of the cluster was lost ({reason}): start "
                f"all of them again, to go on from step {last_step(folder)}"
            ) from error

    return told


class _Devices:
    """What runs on all of them."""

    def __init__(self, strategy: tf.distribute.Strategy, learner: keras.Model):
        self._strategy, self._learner = strategy, learner

    @tf.function(jit_compile=False, autograph=False)
    def train(self, batch, read_status, vote):
        """Scalars, read status and votes of the global batch."""
        shares = self._strategy.run(self._learner.train_step, args=(batch,))
        votes = self._strategy.run(lambda: tf.identity(vote))
        read_status = tf.nest.map_structure(
            lambda value: self._strategy.gather(value, axis=0), read_status
        )
        return self._sum(shares), read_status, self._sum(votes)

    def figures(self, batch) -> dict[str, float]:
        """Diagnostics of the global batch, and the learning rate."""
        figures = self._diagnose(batch)
        rate = self._learner.optimizer.learning_rate
        figures["learning_rate"] = tf.convert_to_tensor(rate)
        return {name: float(value) for name, value in figures.items()}

    @tf.function(jit_compile=False, autograph=False)
    def _diagnose(self, batch):
        return self._sum(
            self._strategy.run(self._learner.diagnostics, args=(batch,))
        )

    def _sum(self, shares):
        return tf.nest.map_structure(
            lambda share: self._strategy.reduce("SUM", share, axis=None), shares
        )


def _check_all_agree(
    strategy: tf.distribute.Strategy, start: int, options: TrainingOptions
) -> None:
    """Raises a `UserError` where processes would run different steps."""
    facts = [start]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        # Paths may differ.
        if not isinstance(value, str) or field.metadata["choices"]:
            facts.append(value)
    digest = tf.constant([zlib.crc32(repr(facts).encode())], tf.int64)

    @tf.function
    def of_all():
        return strategy.gather(strategy.run(lambda: digest), axis=0)

    if len(np.unique(of_all())) > 1:
        raise UserError(
            "the processes disagree about the flags, or about the last "
            f"checkpoint (here step {start}): give all of them the same flags, "
            "and an --output that all of them see"
        )
