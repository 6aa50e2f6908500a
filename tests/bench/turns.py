"""Processes that stand ready with a piece of work and take turns."""

import json
import os
import pathlib
import statistics
import subprocess
from collections.abc import Mapping, Sequence

from tests import ROOT
from tests.bench import work

SLOW_S = 4.0


class Turns:
    """A process with a piece of work, which works when it is asked to.

    Args:
      python: the interpreter, of ours or of the peers.
      target: "module:function" that makes the work.
      arguments: of the function.
      folder: where ours leaves what it hands to its peers.
      name: of this one's answer in that folder.
      turn_s: a turn takes about so long: short work is done several times.
      variables: of its environment, besides those of this process.

    Raises:
      RuntimeError: the process ends; then, and in `take`.
    """

    def __init__(
        self,
        python: str,
        target: str,
        arguments: Mapping,
        folder: str | os.PathLike,
        name: str,
        turn_s: float = 1.0,
        variables: Mapping[str, str] | None = None,
    ):
        self._target, self._answer = target, pathlib.Path(folder, f"{name}.npz")
        command = [python, "-m", "tests.bench.work", target]
        command += [json.dumps(dict(arguments)), str(folder), name, str(turn_s)]
        # What libraries tell is of interest where it is the last thing.
        self._told = pathlib.Path(folder, f"{name}.txt")
        with self._told.open("w") as told:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | (variables or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
            )
        self.seconds: list[float] = []
        self.megabytes = 0.0
        # See `work.serve`.
        self.ready = self._hear()

    def answer(self) -> dict:
        """Arrays by name."""
        return work.read(self._answer)

    def figures(self) -> dict:
        """Seconds with their spread, and memory, for JSON."""
        return {
            "seconds": self.median(),
            "fastest": min(self.seconds),
            "slowest": max(self.seconds),
            "rounds": len(self.seconds),
            "megabytes": self.megabytes,
        }

    def take(self) -> None:
        """A turn more."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        said = self._hear()
        self.seconds.append(said["seconds"])
        self.megabytes = said["megabytes"]

    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    def end(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _hear(self) -> dict:
        for line in self._process.stdout:
            said = work.heard(line)
            if said is not None:
                return said
        self.end()
        last = self._told.read_text().strip().splitlines()[-1:]
        raise RuntimeError(f"{self._target} has ended: {''.join(last)}")


def take_rounds(
    all_turns: Sequence[Turns], rounds: int, slow_rounds: int | None = None
) -> None:
    """In alternation; `slow_rounds` will do where a turn takes `SLOW_S`."""
    for number in range(rounds):
        slowest = max(t.seconds[-1] if t.seconds else 0 for t in all_turns)
        if number == slow_rounds and slowest > SLOW_S:
            break
        for turns in all_turns:
            turns.take()
