"""Steps with and without oneDNN, in alternation: make bench-onednn.

Two processes stand ready for each piece of work, one with each setting of
TF_ENABLE_ONEDNN_OPTS, and take turns. The figures are medians over the rounds
and their ratio.
"""

import os
import sys
import tempfile

from tests.bench import machine
from tests.bench.turns import Turns, take_rounds

ROUNDS = 5
SETTINGS = ("0", "1")
DEMO = {
    "basis": "stft",
    "bottleneck": 64,
    "conv_channels": 128,
    "num_repeats": 2,
}
_10_S = {"seconds": 10.0}
WORK = {
    "pretraining, width 1, 2 x 16 views": (
        "steps:contrastive",
        {"width": 1.0, "pairs": 16},
    ),
    "pretraining, width 1/4, 2 x 128 views": (
        "steps:contrastive",
        {"width": 0.25, "pairs": 128},
    ),
    "pretraining, width 1/8, 2 x 64 views (demo)": (
        "steps:contrastive",
        {"width": 0.125, "pairs": 64},
    ),
    "separation, published, 2 x 2 s": (
        "steps:separation",
        {"pairs": 2, "seconds": 2.0},
    ),
    "separation, demo, 8 x 2.5 s": (
        "steps:separation",
        {"pairs": 8, "seconds": 2.5, **DEMO},
    ),
    "embedding, width 1, 1 clip": ("embedding:embed", {"clips": 1, **_10_S}),
    "embedding, width 1, 16 clips": ("embedding:embed", {"clips": 16, **_10_S}),
    "embedding, width 1/8, 1 clip": (
        "embedding:embed",
        {"clips": 1, "width": 0.125, **_10_S},
    ),
    "embedding, width 1/8, 16 clips": (
        "embedding:embed",
        {"clips": 16, "width": 0.125, **_10_S},
    ),
    "separating, published, 1 clip": (
        "embedding:separate",
        {"clips": 1, **_10_S},
    ),
    "separating, demo, 1 clip": (
        "embedding:separate",
        {"clips": 1, **_10_S, **DEMO},
    ),
}


def main() -> None:
    print(machine.description())
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    print(f"oneDNN takes instructions up to {limit or 'all there are'}\n")
    print(f"{'ms, median of ' + str(ROUNDS):44}     off      on  off/on")
    for name, (target, arguments) in WORK.items():
        off, on = _seconds(target, arguments)
        print(
            f"{name:44}{1e3 * off:8.1f}{1e3 * on:8.1f}{off / on:8.2f}",
            flush=True,
        )


def _seconds(target: str, arguments: dict) -> list[float]:
    """With each setting."""
    with tempfile.TemporaryDirectory() as folder:
        both = [
            Turns(
                sys.executable,
                f"tests.bench.ours.{target}",
                arguments,
                folder,
                setting,
                variables={"TF_ENABLE_ONEDNN_OPTS": setting},
            )
            for setting in SETTINGS
        ]
        take_rounds(both, ROUNDS)
        for turns in both:
            turns.end()
    return [turns.median() for turns in both]


if __name__ == "__main__":
    main()
