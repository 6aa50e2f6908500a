"""Options that both trainers share."""

import dataclasses

from data.flag_fields import option
from data.rejects import MAX_BAD_FRACTION

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Flags of every training run."""

    output: str = option(
        "", "Run directory: configuration, checkpoints and results go here."
    )
    seed: int = option(
        1, "Seed of initial weights, data order and augmentation.", minimum=0
    )
    steps: int = option(
        1_700_000, "Training steps in all.", minimum=0, runtime_only=True
    )
    batch_size: int = option(64, "Examples in a batch.", minimum=1)
    learning_rate: float = option(1e-4, "Peak learning rate.", minimum=0)
    warmup_steps: int = option(
        0, "Steps over which the learning rate rises from 0.", minimum=0
    )
    cosine_decay: bool = option(
        False, "Let the learning rate fall to 0 at the last step, as a cosine."
    )
    precision: str = option(
        "float32",
        "Compute precision; weights, losses and spectrograms stay float32.",
        choices=PRECISIONS,
    )
    checkpoint_every: int = option(
        1000, "Steps between checkpoints.", minimum=1, runtime_only=True
    )
    log_every: int = option(
        50, "Steps between rows of history.csv.", minimum=1, runtime_only=True
    )
    max_bad_fraction: float = option(
        MAX_BAD_FRACTION,
        "Share of clips that cannot be read past which the run stops.",
        minimum=0,
        maximum=1,
        runtime_only=True,
    )
