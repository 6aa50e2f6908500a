"""Configurations of the two measures, probe and retrieval."""

import dataclasses

from data.run.flag_fields import option
from data.run.run_directory import RunOptions

PROBE = "probe"
RETRIEVAL = "retrieval"


@dataclasses.dataclass(frozen=True)
class ComparisonConfig(RunOptions):
    """Flags that both have."""

    encoder: tuple[str, ...] = option(
        (),
        "run directories of pretraining, a row of the results each",
        required=True,
        runtime_only=True,
    )
    shards: str = option(
        "",
        "labeled shards; default: those of the first encoder",
        runtime_only=True,
    )
    baselines: tuple[str, ...] = option(
        ("untrained", "log_mel_statistics"),
        "baselines measured beside the encoders; may be empty",
    )
    output: str = option(
        "", "run directory to write", required=True, runtime_only=True
    )

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if field.name == "output" or field.name.endswith("splits"):
                if not getattr(self, field.name):
                    raise ValueError(
                        f"--{field.name} is empty: name at least one"
                    )


@dataclasses.dataclass(frozen=True)
class ProbeConfig(ComparisonConfig):
    """Flags of evaluate/probe.py; how the classifier is trained is ours."""

    train_splits: tuple[str, ...] = option(
        ("train",), "splits that the classifier is trained on"
    )
    eval_splits: tuple[str, ...] = option(
        ("eval",), "splits that the figures are of"
    )
    hidden_units: int = option(512, "units of the hidden layer", minimum=1)
    epochs: int = option(50, "passes over the training clips", minimum=1)
    batch_size: int = option(32, "clips of a step", minimum=1)
    learning_rate: float = option(1e-3, "of Adam", minimum=0)
    seed: int = option(
        0, "of the classifier and of the untrained weights", minimum=0
    )

    def __post_init__(self):
        super().__post_init__()
        both = sorted(set(self.train_splits) & set(self.eval_splits))
        if both:
            raise ValueError(
                f"{','.join(both)} is in --train_splits and --eval_splits: "
                "the figures would be those of clips trained on"
            )


@dataclasses.dataclass(frozen=True)
class RetrievalConfig(ComparisonConfig):
    """Flags of evaluate/retrieval.py."""

    splits: tuple[str, ...] = option(("eval",), "splits to measure on")
    positives: int = option(100, "most clips drawn with a class", minimum=2)
    negatives: int = option(100, "most clips drawn without it", minimum=1)
    seed: int = option(0, "of the draw and of the untrained weights", minimum=0)
