"""Tells how long contrastive pretraining takes on this machine.

Some steps are measured, on noise that is in memory: neither reading nor
separation on the fly is in the figure. Flags are those of pretraining.

  python train/step_time.py --flagfile=train/flagfiles/demo_pretrain.flags
"""

import pathlib
import statistics
import sys
import timeit

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields
from train.contrastive.contrastive_config import ContrastiveConfig


def main() -> None:
    config = flag_fields.read(ContrastiveConfig)

    from train.contrastive import noise_steps

    step = noise_steps.make_step(config)
    step()  # Builds the graph.
    seconds = statistics.median(timeit.repeat(step, repeat=3, number=1))
    minutes = config.steps * seconds / 60
    print(
        f"a step on {config.batch_size} pairs takes {seconds:.3g} s here: "
        f"{config.steps:,} take {minutes:,.1f} minutes"
    )


if __name__ == "__main__":
    flag_fields.define(ContrastiveConfig)
    entry_point.run(main)
