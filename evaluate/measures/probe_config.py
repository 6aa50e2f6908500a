"""Configuration of the probe."""

import dataclasses

from data.run.flag_fields import option

STAGE = "probe"


@dataclasses.dataclass(frozen=True)
class ProbeConfig:
    """Flags of evaluate/probe.py; how the classifier is trained is ours."""

    encoder: tuple[str, ...] = option(
        (),
        "run directories of pretraining, a row of the results each (required)",
    )
    shards: str = option(
        "", "labeled shards; default: those of the first encoder"
    )
    train_splits: tuple[str, ...] = option(
        ("train",), "splits that the classifier is trained on"
    )
    eval_splits: tuple[str, ...] = option(
        ("eval",), "splits that the figures are of"
    )
    baselines: tuple[str, ...] = option(
        ("untrained", "log_mel_statistics"),
        "baselines measured beside the encoders; may be empty",
    )
    output: str = option("", "run directory to write (required)")
    hidden_units: int = option(512, "units of the hidden layer", minimum=1)
    epochs: int = option(50, "passes over the training clips", minimum=1)
    batch_size: int = option(32, "clips of a step", minimum=1)
    learning_rate: float = option(1e-3, "of Adam", minimum=0)
    seed: int = option(
        0, "of the classifier and of the untrained weights", minimum=0
    )

    def __post_init__(self):
        for flag in ("output", "train_splits", "eval_splits"):
            if not getattr(self, flag):
                raise ValueError(f"--{flag} is empty: name at least one")
        both = sorted(set(self.train_splits) & set(self.eval_splits))
        if both:
            raise ValueError(
                f"{','.join(both)} is in --train_splits and --eval_splits: "
                "the figures would be those of clips trained on"
            )

    @property
    def splits(self) -> tuple[str, ...]:
        return *self.train_splits, *self.eval_splits
