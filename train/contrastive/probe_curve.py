"""What the probe says of the encoder while it learns."""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pandas
import tensorflow as tf
from absl import logging

from data.run import environment
from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from data.run.run_directory import METRICS_FILE
from data.shards.dataset_info import DatasetInfo
from train.contrastive.contrastive_config import ContrastiveConfig
from train.contrastive.snapshots import Snapshots
from train.loop.training_log import TENSORBOARD_FOLDER

PROBE_FILE = "probe.csv"
_PROBE = pathlib.Path(__file__).resolve().parents[2] / "evaluate" / "probe.py"
_STEP, _FIGURES = "step", ("mAP", "AUC", "d_prime")


class ProbeCurve:
    """Runs evaluate/probe.py on snapshots, beside the training.

    As a function of the step, to be called with each, it writes a snapshot
    every `probe_every` steps. They are probed one after the other, in another
    process and on the CPU; where more than one waits, training waits too. The
    figures go to probe.csv and to TensorBoard's default writer; a probe that
    fails is told of, and costs nothing but its row. Steps that probe.csv has
    are not probed again.

    As a context, around the training, it waits for the last ones; where
    training was interrupted, they are left to be made when it goes on.

    Args:
      is_chief: whether this is the first, or only, process of the run; the
        others probe nothing.

    Raises:
      UserError: there is nothing to probe with.
    """

    def __init__(
        self,
        config: ContrastiveConfig,
        run: pathlib.Path,
        snapshots: Snapshots,
        start_step: int,
        is_chief: bool = True,
    ):
        self._every = config.probe_every if is_chief else 0
        if self._every:
            _check_shards(config)
        self._config, self._run, self._snapshots = config, run, snapshots
        self._file = run / PROBE_FILE
        self._rows = {}
        if self._file.exists():
            self._rows = _read_rows(self._file)
        # Snapshots whose probe was interrupted.
        due = range(0, start_step + 1, self._every) if self._every else ()
        self._open = collections.deque(
            step
            for step in due
            if step not in self._rows and snapshots.path(step).exists()
        )
        # Of the first that is open, and what it says.
        self._process = self._said = None

    def __call__(self, step: int) -> None:
        if self._every and step % self._every == 0:
            if step in self._rows:
                self._show(step)
            else:
                self._snapshots.write(step)
                self._open.append(step)
        self._finish(may_be_open=2)

    def __enter__(self) -> "ProbeCurve":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        try:
            if error_type is None and self._open:
                # That of the training has been closed.
                folder = self._run / TENSORBOARD_FOLDER
                writer = tf.summary.create_noop_writer()
                if folder.exists():
                    writer = tf.summary.create_file_writer(str(folder))
                with writer.as_default():
                    self._finish(may_be_open=0)
        finally:
            if self._process is not None:
                self._process.terminate()
                self._process.wait()
                self._said.close()

    def _start(self, step: int) -> None:
        config, output = self._config, self._output(step)
        # Of a probe that was interrupted, perhaps with other flags.
        shutil.rmtree(output, ignore_errors=True)
        self._said = tempfile.TemporaryFile("w+", errors="replace")
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(_PROBE),
                f"--encoder={self._snapshots.path(step)}",
                f"--shards={config.probe_shards or config.shards}",
                f"--train_splits={','.join(config.probe_train_splits)}",
                f"--eval_splits={','.join(config.probe_eval_splits)}",
                "--baselines=",
                # The quicker one.
                "--classifier=linear",
                f"--output={output}",
            ],
            env=environment.SHELL | {"CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            # Ctrl-C is for the training, which ends it.
            process_group=0,
        )

    def _finish(self, may_be_open: int) -> None:
        """Takes the probes that are done, and waits for those too many."""
        while self._open:
            step = self._open[0]
            if self._process is None:
                self._start(step)
            if len(self._open) <= may_be_open and self._process.poll() is None:
                return
            code = self._process.wait()
            self._process = None
            self._open.popleft()
            with self._said:
                self._said.seek(0)
                said = self._said.read().strip()
            if code == 0:
                file = self._output(step) / METRICS_FILE
                [row] = json.loads(file.read_text("utf-8"))["results"]
                self._rows[step] = {name: row[name] for name in _FIGURES}
                table = pandas.DataFrame.from_dict(self._rows, orient="index")
                with atomic_path(self._file) as beside:
                    table.sort_index().to_csv(beside, index_label=_STEP)
                self._show(step)
            else:
                logging.warning(
                    "the probe of step %d failed (exit code %d): %s",
                    step,
                    code,
                    said.split("\n")[-1] or "it said nothing",
                )
            self._snapshots.discard(step)

    def _output(self, step: int) -> pathlib.Path:
        return self._snapshots.path(step) / "probe"

    def _show(self, step: int) -> None:
        for name, value in self._rows[step].items():
            if not pandas.isna(value):
                tf.summary.scalar(f"probe/{name}", value, step)


def _read_rows(file: pathlib.Path) -> dict[int, dict[str, float]]:
    try:
        # pandas' own parser of numbers may miss their last bit.
        table = pandas.read_csv(file, dtype=str).astype(float)
        steps = table.pop(_STEP).astype(int)
        return table.set_index(steps)[[*_FIGURES]].to_dict("index")
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{file} is no table of {_STEP}, {', '.join(_FIGURES)} "
            f"({' '.join(str(error).split())}): delete it"
        ) from error


def _check_shards(config: ContrastiveConfig) -> None:
    info = DatasetInfo.load(config.probe_shards or config.shards)
    for splits in (config.probe_train_splits, config.probe_eval_splits):
        info.shards_of(splits)
    if not info.class_names:
        raise UserError(
            f"--probe_every={config.probe_every}: {info.folder} has no "
            "labels: name others with --probe_shards"
        )
