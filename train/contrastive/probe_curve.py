"""What the probe says of the encoder while it learns."""

import collections
import csv
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import tensorflow as tf
from absl import logging

from data.run import csv_table, environment
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
      config: how often and on what.
      run: the run directory.
      snapshots: of the run.
      start_step: the step that the run goes on from.
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
        self._rows = _read(self._file)
        # Snapshots whose probe was interrupted.
        due = range(0, start_step + 1, self._every) if self._every else ()
        self._waiting = collections.deque(
            step
            for step in due
            if step not in self._rows and snapshots.path(step).exists()
        )
        self._step = self._process = self._messages = None

    def __call__(self, step: int) -> None:
        if self._every and step % self._every == 0:
            if step in self._rows:
                self._show(step)
            else:
                self._snapshots.write(step)
                self._waiting.append(step)
        self._go_on(may_wait=1)

    def __enter__(self) -> "ProbeCurve":
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        try:
            if error_type is None and (self._process or self._waiting):
                with _late_writer(self._run).as_default():
                    self._go_on(may_wait=-1)
        finally:
            if self._process is not None:
                self._process.terminate()
                self._process.wait()
                self._messages.close()

    def _go_on(self, may_wait: int) -> None:
        """Ends and starts probes, until one runs and no more wait than may."""
        while self._process or self._waiting:
            if self._process is None:
                self._start(self._waiting.popleft())
            elif (
                len(self._waiting) > may_wait
                or self._process.poll() is not None
            ):
                self._process.wait()
                self._finish()
            else:
                return

    def _start(self, step: int) -> None:
        config, output = self._config, self._output(step)
        # Of a probe that was interrupted, perhaps with other flags.
        shutil.rmtree(output, ignore_errors=True)
        self._messages = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [
                sys.executable,
                str(_PROBE),
                f"--encoder={self._snapshots.path(step)}",
                f"--shards={config.probe_shards or config.shards}",
                f"--train_splits={','.join(config.probe_train_splits)}",
                f"--eval_splits={','.join(config.probe_eval_splits)}",
                "--baselines=",
                f"--output={output}",
            ],
            env=environment.SHELL | {"CUDA_VISIBLE_DEVICES": ""},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            # Ctrl-C is for the training, which ends it.
            process_group=0,
        )
        self._step = step

    def _finish(self) -> None:
        step, code = self._step, self._process.returncode
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").split("\n")
        self._messages.close()
        self._step = self._process = self._messages = None
        if code == 0:
            metrics = self._output(step) / METRICS_FILE
            [result] = json.loads(metrics.read_text())["results"]
            self._rows[step] = {name: result[name] for name in _FIGURES}
            _write(self._file, self._rows)
            self._show(step)
        else:
            said = [line for line in lines if line.strip()]
            logging.warning(
                "the probe of step %d failed (exit code %d): %s",
                step,
                code,
                said[-1] if said else "it said nothing",
            )
        self._snapshots.discard(step)

    def _output(self, step: int) -> pathlib.Path:
        return self._snapshots.path(step) / "probe"

    def _show(self, step: int) -> None:
        for name, value in self._rows[step].items():
            if value is not None:
                tf.summary.scalar(f"probe/{name}", value, step)


def _check_shards(config: ContrastiveConfig) -> None:
    info = DatasetInfo.load(config.probe_shards or config.shards)
    for splits in (config.probe_train_splits, config.probe_eval_splits):
        info.shards_of(splits)
    if not info.class_names:
        raise UserError(
            f"--probe_every={config.probe_every}: {info.folder} has no "
            "labels: name others with --probe_shards"
        )


def _late_writer(run: pathlib.Path) -> tf.summary.SummaryWriter:
    """A writer for what is known when that of the training has ended."""
    folder = run / TENSORBOARD_FOLDER
    if not folder.exists():
        return tf.summary.create_noop_writer()
    return tf.summary.create_file_writer(str(folder))


def _read(file: pathlib.Path) -> dict[int, dict[str, float | None]]:
    if not file.exists():
        return {}
    with file.open(newline="", encoding="utf-8") as stream:
        return {
            int(row.pop(_STEP)): {
                name: float(cell) if cell else None
                for name, cell in row.items()
            }
            for row in csv.DictReader(stream)
        }


def _write(
    file: pathlib.Path, rows: dict[int, dict[str, float | None]]
) -> None:
    cells = (
        [step, *(rows[step][name] for name in _FIGURES)]
        for step in sorted(rows)
    )
    csv_table.write(file, [[_STEP, *_FIGURES], *cells])
