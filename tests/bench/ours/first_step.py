"""Runs a trainer up to the end of its first step.

python -m tests.bench.ours.first_step train/pretrain_contrastive.py FLAGS
"""

import os
import pathlib
import runpy
import sys

from data.jobs.progress import Progress


def _end(self, done: int, note: str = "") -> None:
    # Without what a program does as it ends.
    os._exit(0)


def main() -> None:
    del sys.argv[0]
    # As Python has it for a script.
    sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
    # It is told of each step.
    Progress.update = _end
    runpy.run_path(sys.argv[0], run_name="__main__")
    sys.exit("the trainer has ended without a step")


if __name__ == "__main__":
    main()
