"""Configurations of the two measures, probe and retrieval."""

import dataclasses
import re

from data.run.flag_fields import option
from data.run.run_directory import RunOptions
from evaluate.embeddings.encoder_runs import FOLD
from evaluate.probing.recording_folds import WHOLE_ID

PROBE = "probe"
RETRIEVAL = "retrieval"

AUTO, SINGLE_LABEL, MULTI_LABEL = "auto", "single_label", "multi_label"


@dataclasses.dataclass(frozen=True)
class ComparisonConfig(RunOptions):
    """Flags that both have."""

    encoder: tuple[str, ...] = option(
        (),
        "run directories of pretraining, a row of the results each; "
        f"{FOLD} in a path stands for the split that is measured, where each "
        "has an encoder that was pretrained without it",
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
    saved_model: tuple[str, ...] = option(
        (),
        "SavedModels of others, a row each; FOLDER@HZ where they take another "
        "rate than the shards'",
    )
    hear: tuple[str, ...] = option(
        (), "modules of the HEAR API, a row each: MODULE or MODULE:WEIGHTS"
    )
    recording_pattern: str = option(
        WHOLE_ID,
        "regular expression on the ids of clips; its first group names the "
        "recording. Clips of one are never on both sides of a choice, and "
        "count as one in intervals",
    )
    output: str = option(
        "", "run directory to write", required=True, runtime_only=True
    )
    compare: tuple[str, ...] = option(
        (),
        "two finished runs, RUN_A,RUN_B: tests whether A is better than B, "
        "and writes nothing. RUN is its first row, RUN:NAME the row NAME",
        runtime_only=True,
    )

    def __post_init__(self):
        if self.compare and len(self.compare) != 2:
            raise ValueError(
                f"--compare={','.join(self.compare)}: two runs are wanted, "
                "RUN_A,RUN_B"
            )
        for field in dataclasses.fields(self):
            if field.name == "output" or field.name.endswith("splits"):
                if not getattr(self, field.name) and not self.compare:
                    raise ValueError(
                        f"--{field.name} is empty: name at least one"
                    )
        try:
            groups = re.compile(self.recording_pattern).groups
        except re.error as error:
            groups = 0
            raise ValueError(
                f"--recording_pattern={self.recording_pattern} is no regular "
                f"expression: {error}"
            ) from error
        if not groups:
            raise ValueError(
                f"--recording_pattern={self.recording_pattern} has no group "
                "(...) that names the recording"
            )

    @property
    def has_fold_encoders(self) -> bool:
        """Whether some row has an encoder for each split."""
        return any(FOLD in run for run in self.encoder)


@dataclasses.dataclass(frozen=True)
class ProbeConfig(ComparisonConfig):
    """Flags of evaluate/probe.py; what is chosen, is chosen by the data."""

    train_splits: tuple[str, ...] = option(
        ("train",), "splits that the classifiers are trained on"
    )
    eval_splits: tuple[str, ...] = option(
        ("eval",), "splits that the figures are of"
    )
    cross_validate: tuple[str, ...] = option(
        (),
        "splits, e.g. fold1,fold2,fold3,fold4, each measured by classifiers "
        "trained on the others; in place of the two flags above",
    )
    classifier: tuple[str, ...] = option(
        ("shallow", "linear"), "classifiers: shallow, linear or both"
    )
    task: str = option(
        AUTO,
        "single_label: a softmax, and accuracy; multi_label: a sigmoid for "
        "each class; auto: the former where each clip has exactly one label",
        choices=(AUTO, SINGLE_LABEL, MULTI_LABEL),
    )
    label_fractions: tuple[str, ...] = option(
        ("1",),
        "shares of the training clips whose labels are used, e.g. 0.01,0.1,1; "
        "each class keeps a clip",
    )
    seeds: int = option(
        1,
        "classifiers, and draws of labeled clips, whose mean the figures are",
        minimum=1,
    )
    seed: int = option(
        0, "the first of them, and of the untrained weights", minimum=0
    )

    def __post_init__(self):
        super().__post_init__()
        both = sorted(set(self.train_splits) & set(self.eval_splits))
        if both and not self.cross_validate:
            raise ValueError(
                f"{','.join(both)} is in --train_splits and --eval_splits: "
                "the figures would be those of clips trained on"
            )
        if len(set(self.cross_validate)) < max(
            len(self.cross_validate), 2 * bool(self.cross_validate)
        ):
            raise ValueError(
                f"--cross_validate={','.join(self.cross_validate)}: name two "
                "splits or more, each once"
            )
        if self.has_fold_encoders and not self.cross_validate:
            raise ValueError(
                f"--encoder={','.join(self.encoder)}: {FOLD} goes with "
                "--cross_validate"
            )
        unknown = [c for c in self.classifier if c not in ("shallow", "linear")]
        if unknown or not self.classifier:
            raise ValueError(
                f"--classifier={','.join(self.classifier)}: shallow, linear or "
                "both are wanted"
            )
        if not self.fractions:
            raise ValueError("--label_fractions is empty: name at least one")

    @property
    def fractions(self) -> list[float]:
        """The shares of labels, as numbers.

        Raises:
          ValueError: one is none, or not in (0, 1].
        """
        try:
            fractions = [float(text) for text in self.label_fractions]
        except ValueError:
            fractions = [0.0]
        if not all(0 < fraction <= 1 for fraction in fractions):
            raise ValueError(
                f"--label_fractions={','.join(self.label_fractions)}: numbers "
                "above 0 and up to 1 are wanted"
            )
        return fractions

    @property
    def folds(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Splits to train on, and to measure on, of each part of the figure."""
        named = self.cross_validate
        if not named:
            return [(self.train_splits, self.eval_splits)]
        return [(tuple(o for o in named if o != f), (f,)) for f in named]


@dataclasses.dataclass(frozen=True)
class RetrievalConfig(ComparisonConfig):
    """Flags of evaluate/retrieval.py."""

    splits: tuple[str, ...] = option(("eval",), "splits to measure on")
    positives: int = option(100, "most clips drawn with a class", minimum=2)
    negatives: int = option(100, "most clips drawn without it", minimum=1)
    draws: int = option(5, "draws whose mean the figure is", minimum=1)
    top: int = option(10, "k of precision at k", minimum=1)
    seed: int = option(
        0, "of the first draw and of the untrained weights", minimum=0
    )

    @property
    def folds(self) -> list[tuple[tuple[str, ...]]]:
        """Splits to measure on, of each part of the figure.

        Clips of two encoders have no distance: where splits have encoders of
        their own, each is measured by itself.
        """
        if not self.has_fold_encoders:
            return [(self.splits,)]
        return [((split,),) for split in self.splits]
