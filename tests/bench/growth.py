"""How time and memory grow with the size of the work: make bench-growth.

Of each piece of work one size is varied. The exponent p of time ~ size^p is
fitted to the larger half of the sizes, where what is spent once counts least.

  python -m tests.bench.growth --series="loss|search"
"""

import dataclasses
import math
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np
from absl import app, flags

from tests.bench import machine
from tests.bench.turns import Turns, take_rounds

# Slow turns are not repeated.
ROUNDS, TURN_S = (3, 1), 0.3
# Exponents that are a whole number to this are called by its name.
SLACK = 0.15
NAMES = {-1: "falling", 0: "constant", 1: "linear", 2: "quadratic", 3: "cubic"}

_SERIES = flags.DEFINE_string("series", "", "of these titles (a pattern)")


@dataclasses.dataclass(frozen=True)
class Series:
    """A piece of work of several sizes.

    Attributes:
      title: for people.
      target: "file:function" in `ours`.
      size: name of the argument that is varied.
      sizes: its values, rising.
      arguments: the others.
      unit: of the size.
    """

    title: str
    target: str
    size: str
    sizes: Sequence[float]
    unit: str
    arguments: Mapping = dataclasses.field(default_factory=dict)


ALL_SERIES = (
    Series(
        "contrastive step, width 1/8",
        "steps:contrastive",
        "pairs",
        (32, 64, 128, 256, 512),
        "pairs of views",
        {"width": 0.125},
    ),
    Series(
        "NT-Xent and gradient",
        "losses:contrastive",
        "pairs",
        (512, 1024, 2048, 4096, 8192),
        "pairs of views",
    ),
    Series(
        "coincidence loss and gradient",
        "losses:coincidence",
        "pairs",
        (512, 1024, 2048, 4096, 8192),
        "pairs of views",
    ),
    Series(
        "MixIT loss and gradient, M = 8",
        "losses:mixit",
        "pairs",
        (2, 4, 8, 16),
        "pairs of mixtures of 5 s",
        {"sources": 8, "seconds": 5.0},
    ),
    Series(
        "separation",
        "embedding:separate",
        "seconds",
        (10, 40, 150, 600),
        "s of a clip",
        {"clips": 1},
    ),
    Series(
        "embedding",
        "embedding:embed",
        "seconds",
        (10, 40, 150, 600),
        "s of a clip",
        {"clips": 1},
    ),
    Series(
        "ingest, whole process",
        "programs:ingest",
        "recordings",
        (50, 100, 200, 400),
        "recordings of 10 s",
        {"seconds": 10.0},
    ),
    Series(
        "embed.py, width 1/8, whole process",
        "programs:embed",
        "clips",
        (250, 500, 1000, 2000),
        "clips of 1 s",
    ),
    Series(
        "training's input, a batch of 64",
        "reading:batches",
        "records",
        (1_000, 10_000, 100_000, 1_000_000),
        "clips of 2 s",
        {"pairs": 64},
    ),
    Series(
        "exact search",
        "measures:search",
        "records",
        (10_000, 100_000, 300_000, 1_000_000),
        "records",
    ),
)


def main(_) -> None:
    print(f"{machine.description()}\n")
    print(f"{'':>12}{'ms':>12}{'MB':>10}")
    for series in ALL_SERIES:
        if re.search(_SERIES.value, series.title):
            _measure(series)


def _measure(series: Series) -> None:
    print(f"{series.title}, {series.unit}", flush=True)
    seconds, megabytes = [], []
    for size in series.sizes:
        with tempfile.TemporaryDirectory() as folder:
            turns = Turns(
                sys.executable,
                f"tests.bench.ours.{series.target}",
                {**series.arguments, series.size: size},
                folder,
                "ours",
                TURN_S,
            )
            take_rounds([turns], *ROUNDS)
            turns.end()
        seconds.append(turns.median())
        megabytes.append(turns.megabytes)
        print(
            f"{size:12,}{1e3 * seconds[-1]:12,.1f}{megabytes[-1]:10,.0f}",
            flush=True,
        )
    told = [f"time {growth(series.sizes, seconds)}"]
    # A program's memory is not that of the process that starts it.
    if not series.target.startswith("programs:"):
        told.append(f"memory {growth(series.sizes, megabytes)}")
    print(f"  {', '.join(told)}", flush=True)


def growth(sizes: Sequence[float], values: Sequence[float]) -> str:
    """What it is called, and the exponent.

    Args:
      sizes: rising; the larger half, of three at least, is fitted.
      values: above 0.
    """
    first = min(len(sizes) // 2, len(sizes) - 3)
    logs = np.log(sizes[first:]), np.log(values[first:])
    exponent = round(np.polyfit(*logs, 1)[0], 2) + 0.0
    near = [n for n in NAMES if abs(exponent - n) <= SLACK]
    lower, upper = (NAMES.get(f(exponent)) for f in (math.floor, math.ceil))
    name = NAMES[near[0]] if near else f"between {lower} and {upper}"
    return f"{name} (size^{exponent:.2f})"


if __name__ == "__main__":
    app.run(main)
