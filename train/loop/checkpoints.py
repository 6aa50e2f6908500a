"""Checkpoints of a run: whole or not at all, kept by policy."""

import pathlib
import shutil

import keras
import tensorflow as tf
from absl import logging

from data.run.errors import UserError
from train.loop.last_step import CHECKPOINTS, last_step
from train.loop.training_options import TrainingOptions

# The last three: where it is of another network.
_UNREADABLE = (
    IndexError,
    tf.errors.OpError,
    ValueError,
    AssertionError,
    TypeError,
)


class Checkpoints:
    """Weights, optimizer (a built one), random states and step.

    The data's position is a function of the step.
    """

    def __init__(self, learner: keras.Model, options: TrainingOptions):
        self._options = options
        self._step = tf.Variable(0, dtype=tf.int64, trainable=False)
        # TensorFlow looks into no list of layers, and sees no random state of
        # a dropout; the weights it finds through the optimizer.
        statistics = [v.value for v in learner.non_trainable_variables]
        self._checkpoint = tf.train.Checkpoint(
            learner=learner, step=self._step, statistics=statistics
        )
        self._manager = None

    def restore(self, run: pathlib.Path) -> int:
        """Restores the newest checkpoint that can be read.

        Returns:
          Its step; 0 where there is none.

        Raises:
          UserError: there are some, but none can be read, or of this network.
        """
        last_step(run)  # Raises where what TensorFlow reads here is damaged.
        state = tf.train.get_checkpoint_state(str(run / CHECKPOINTS))
        paths = state.all_model_checkpoint_paths if state else []
        reason = ""
        for path in reversed(paths):
            found = None
            try:
                found = self._checkpoint.restore(path)
                found.assert_consumed()
                return int(self._step)
            except _UNREADABLE as error:
                reason, *_ = str(error).splitlines() or [type(error).__name__]
                logging.warning("%s cannot be read (%s)", path, reason)
                if found is not None:
                    found.expect_partial()  # Told once is enough.
        if paths:
            raise UserError(
                f"no checkpoint in {run / CHECKPOINTS} can be read, or is of "
                f"the network of these flags ({reason}): choose another "
                "--output, or delete that folder to start again"
            )
        return 0

    def save(self, run: pathlib.Path, step: int) -> None:
        """Writes a checkpoint; removes those that are not to be kept."""
        if self._manager is None:
            self._manager = tf.train.CheckpointManager(
                self._checkpoint,
                str(run / CHECKPOINTS),
                max_to_keep=self._options.keep_checkpoints,
                keep_checkpoint_every_n_hours=(
                    self._options.keep_checkpoint_every_hours or None
                ),
            )
            _remove_rests(run / CHECKPOINTS)
        self._step.assign(step)
        self._manager.save(checkpoint_number=step)


def _remove_rests(folder: pathlib.Path) -> None:
    """What a process left that was killed while it saved or removed one."""
    # Names that TensorFlow writes to before it renames.
    kinds = ("*_temp", "*.tempstate*", "checkpoint.tmp*")
    rests = [path for kind in kinds for path in folder.glob(kind)]
    # The index goes first.
    for path in folder.glob("*.data-*"):
        if not path.with_suffix(".index").exists():
            rests.append(path)
    for path in rests:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
