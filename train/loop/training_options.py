"""Options that both trainers share."""

import dataclasses
import re
from collections.abc import Sequence

from data.run.flag_fields import option
from data.run.rejects import MAX_BAD_FRACTION
from data.run.run_directory import RunOptions

OPTIMIZERS = ("adam", "adamw", "lamb", "lars")


@dataclasses.dataclass(frozen=True)
class TrainingOptions(RunOptions):
    """Flags of every training run."""

    output: str = option(
        "",
        "Run directory: configuration, checkpoints and results go here.",
        required=True,
        runtime_only=True,
    )
    splits: tuple[str, ...] = option(
        (), "Splits to train on; labels are not read. Empty: all but eval."
    )
    seed: int = option(
        1,
        "Seed of initial weights, data order and augmentation.",
        minimum=0,
        group="Training",
    )
    steps: int = option(
        1_700_000, "Training steps in all.", minimum=0, runtime_only=True
    )
    batch_size: int = option(
        64, "Examples in a batch, over all devices.", minimum=1
    )
    strategy: str = option(
        "default",
        "Devices that train together. default: one. mirrored: all GPUs of this "
        "machine. multi_worker: those of several machines, which TF_CONFIG or "
        "Slurm describes. tpu: the one that --tpu names.",
        choices=("default", "mirrored", "multi_worker", "tpu"),
        runtime_only=True,
        group="Devices",
    )
    tpu: str = option(
        "",
        "Name or address of the TPU; local: this one.",
        runtime_only=True,
        needs={"strategy": ("tpu",)},
    )
    optimizer: str = option(
        "adam", "Optimizer.", choices=OPTIMIZERS, group="Optimizer"
    )
    weight_decay: float = option(
        0.0,
        "Weight decay of adamw, lamb or lars; biases, norms and slopes have "
        "none.",
        minimum=0,
    )
    learning_rate: float = option(1e-4, "Peak learning rate.", minimum=0)
    warmup_steps: int = option(
        0, "Steps over which the learning rate rises from 0.", minimum=0
    )
    cosine_decay: bool = option(
        False, "Let the learning rate fall to 0 at the last step, as a cosine."
    )
    halving_steps: int = option(
        0,
        "Steps in which the learning rate falls by half, bit by bit. 0: it "
        "does not.",
        minimum=0,
    )
    adam_epsilon: float = option(
        1e-7,
        "Added to the root of the second moment, with adam and adamw.",
        minimum=0,
        needs={"optimizer": ("adam", "adamw")},
    )
    max_gradient_norm: float = option(
        0.0,
        "Gradients of a larger norm, over all weights, are scaled down to it. "
        "0: never.",
        minimum=0,
    )
    precision: str = option(
        "float32",
        "Compute precision; weights, losses and spectrograms stay float32.",
        choices=("float32", "mixed_bfloat16", "mixed_float16"),
    )
    max_skipped_steps: int = option(
        20,
        "Updates are left out where the loss or a gradient is not finite. More "
        "of them than this, in 100 steps, end the run.",
        minimum=0,
        runtime_only=True,
        group="Checkpoints, logs and what may go wrong",
    )
    checkpoint_every: int = option(
        1000, "Steps between checkpoints.", minimum=1, runtime_only=True
    )
    keep_checkpoints: int = option(
        2, "Newest checkpoints that are kept.", minimum=1, runtime_only=True
    )
    keep_checkpoint_every_hours: float = option(
        0.0,
        "Keep one checkpoint of every so many hours as well. 0: none.",
        minimum=0,
        runtime_only=True,
    )
    log_every: int = option(
        50, "Steps between rows of history.csv.", minimum=1, runtime_only=True
    )
    tensorboard: bool = option(
        True, "Write files for TensorBoard too.", runtime_only=True
    )
    examples_every: int = option(
        10_000,
        "Steps between examples to see and hear in TensorBoard. 0: none.",
        minimum=0,
        runtime_only=True,
        needs={"tensorboard": ()},
    )
    max_bad_fraction: float = option(
        MAX_BAD_FRACTION,
        "Share of clips that cannot be read past which the run stops.",
        minimum=0,
        maximum=1,
        runtime_only=True,
    )

    def __post_init__(self):
        if self.weight_decay and self.optimizer == "adam":
            raise ValueError(
                f"--weight_decay={self.weight_decay:g} is not for "
                "--optimizer=adam: take adamw"
            )
        if self.warmup_steps > self.steps > 0:
            raise ValueError(
                f"--warmup_steps={self.warmup_steps} is above --steps="
                f"{self.steps}: the learning rate would never be reached"
            )


def parse_kept_steps(
    items: Sequence[str], steps: int, unnamed: str = "step{}"
) -> dict[str, int]:
    """Name and step of each network kept by --keep_steps, by step.

    Args:
      items: each "name=step", or a step alone.
      steps: of the run.
      unnamed: name of one that has none, with {} for its step.

    Raises:
      ValueError: an item is neither, a name or a step is there twice, or a
        step is past the last one.
    """
    kept = {}
    for item in items:
        match = re.fullmatch(r"(?:([A-Za-z0-9_-]+)=)?([0-9]+)", item)
        if not match:
            raise ValueError(
                f"--keep_steps: {item!r} is neither a step nor name=step"
            )
        kept[match[1] or unnamed.format(match[2])] = int(match[2])
    for what, found in (("name", kept), ("step", set(kept.values()))):
        if len(found) < len(items):
            raise ValueError(
                f"--keep_steps={','.join(items)}: a {what} is twice"
            )
    last = max(kept.values(), default=0)
    if last > steps:
        raise ValueError(
            f"--keep_steps names step {last}, past --steps={steps}"
        )
    return dict(sorted(kept.items(), key=lambda pair: pair[1]))
