"""The loop under both trainers."""

import contextlib
import dataclasses
import functools
import pathlib
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf

from data.run.errors import Stopped, UserError
from data.run.progress import Progress
from data.shards.record_index import RecordIndex
from train.loop import cluster, distribution
from train.loop.checkpoints import Checkpoints, last_step
from train.loop.cluster import Cluster
from train.loop.failed_reads import FailedReads
from train.loop.skipped_steps import SkippedSteps
from train.loop.step_observer import StepSpeed
from train.loop.stop_signal import StopSignal
from train.loop.training_log import TrainingLog
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
      folder: the run directory.
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
    steps = _Steps(strategy, learner)
    if processes.num_workers > 1:
        _check_all_agree(steps, start, options)
    with _own_folder(folder, processes) as own_folder:
        _train(
            steps,
            make_dataset,
            options,
            own_folder,
            index,
            start,
            checkpoints,
            at_step if processes.is_chief else (),
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
                "all of them again, to go on from step "
                f"{last_step(folder)}"
            ) from error

    return told


class _Steps:
    """What runs on all devices."""

    def __init__(self, strategy: tf.distribute.Strategy, learner: keras.Model):
        self._strategy, self._learner = strategy, learner

    def batches(self, make_dataset: MakeDataset, start: int) -> Iterator:
        """What `make_dataset` makes for each of them, from that step on."""
        return iter(
            self._strategy.distribute_datasets_from_function(
                lambda context: make_dataset(start, context)
            )
        )

    @tf.function(jit_compile=False)
    def train(self, batch, read_status, vote):
        """Scalars, read status and votes of the global batch."""
        shares = self._strategy.run(self._learner.train_step, args=(batch,))
        votes = self._strategy.run(lambda: tf.identity(vote))
        return (
            self._sum(shares),
            self._gather(read_status),
            self._sum([votes])[0],
        )

    def figures(self, batch) -> dict[str, float]:
        """Diagnostics of the global batch, and the learning rate."""
        figures = self._diagnose(batch)
        rate = self._learner.optimizer.learning_rate
        figures["learning_rate"] = tf.convert_to_tensor(rate)
        return {name: float(value) for name, value in figures.items()}

    @tf.function
    def everywhere(self, value):
        """(replicas,) what the processes pass for a scalar."""
        return self._gather(self._strategy.run(lambda: value[None]))

    @tf.function(jit_compile=False)
    def _diagnose(self, batch):
        return self._sum(
            self._strategy.run(self._learner.diagnostics, args=(batch,))
        )

    def _sum(self, shares):
        return tf.nest.map_structure(
            lambda share: self._strategy.reduce("SUM", share, axis=None), shares
        )

    def _gather(self, values):
        return tf.nest.map_structure(
            lambda value: self._strategy.gather(value, axis=0), values
        )


def _train(
    steps: _Steps,
    make_dataset: MakeDataset,
    options: TrainingOptions,
    folder: pathlib.Path,
    index: RecordIndex,
    start: int,
    checkpoints: Checkpoints,
    at_step: Sequence[Callable[[int], None]],
) -> None:
    if 0 < start >= options.steps:
        return
    processes = cluster.of(options.strategy)
    log = TrainingLog(folder, start, options.tensorboard and processes.is_chief)
    with contextlib.closing(log), log.writer.as_default():
        if start == 0:
            _call_all(at_step, 0)
            if options.steps == 0:
                return
        reads = FailedReads(index, options, folder)
        skipped = SkippedSteps(index, options, folder, start)
        speed = StepSpeed(options.batch_size, start)
        observers = [speed, log, reads, skipped]
        batches = steps.batches(make_dataset, start)
        progress = Progress("step", options.steps, "steps", done=start)
        with StopSignal(processes.num_workers) as stop:
            for step in range(start + 1, options.steps + 1):
                with speed.waiting(), reads.explained():
                    batch, read_status = next(batches)
                scalars, read_status, votes = steps.train(
                    batch, read_status, stop.vote()
                )
                for observer in observers:
                    observer.add(step, scalars, read_status)
                # A run killed before it is saved comes by here once more.
                _call_all(at_step, step)
                ends = stop.is_asked(votes) or step == options.steps
                saves = ends or step % options.checkpoint_every == 0
                if saves or step % options.log_every == 0:
                    figures = steps.figures(batch)
                    for observer in observers:
                        observer.flush(step, figures)
                if saves:
                    checkpoints.save(folder, step)
                note = ", ".join(filter(None, (log.note, speed.note)))
                if processes.is_chief:
                    progress.update(step, note)
                if ends:
                    break
    if processes.is_chief:
        progress.finish(note)
    if step < options.steps:
        raise Stopped(
            f"{stop.reason}; step {step} is saved, run again to go on"
        )


def _call_all(at_step: Sequence[Callable[[int], None]], step: int) -> None:
    for function in at_step:
        function(step)


@contextlib.contextmanager
def _own_folder(
    folder: pathlib.Path, processes: Cluster
) -> Iterator[pathlib.Path]:
    """The run directory in the first process; in others a temporary one.

    All of them save: a variable may need every process to be read.
    """
    if processes.is_chief:
        yield folder
        return
    with tempfile.TemporaryDirectory() as own:
        yield pathlib.Path(own)


def _check_all_agree(
    steps: _Steps, start: int, options: TrainingOptions
) -> None:
    """Raises a `UserError` where processes would run different steps."""
    facts = [start]
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        # Paths may differ.
        if not isinstance(value, str) or field.metadata["choices"]:
            facts.append(value)
    digest = zlib.crc32(repr(facts).encode())
    found = steps.everywhere(tf.constant(digest, tf.int64))
    if len(np.unique(found)) > 1:
        raise UserError(
            "the processes disagree about the flags, or about the last "
            f"checkpoint (here step {start}): give all of them the same flags, "
            "and an --output that all of them see"
        )
