"""Configuration of separator training."""

import dataclasses

from data.run.flag_fields import inherited, option
from train.loop.training_options import TrainingOptions, parse_kept_steps

MIXIT_SEARCHES = ("exact", "least_squares")
MAX_EXACT_SOURCES = 16


@dataclasses.dataclass(frozen=True)
class SeparationConfig(TrainingOptions):
    """Flags of train/train_separation.py.

    Network, loss, optimizer and learning rate are the reference's by default,
    that of Wisdom et al. (NeurIPS 2020), sound-separation; M and the kept
    steps are the slides'. The batch is ours: the reference has 3 pairs.
    """

    halving_steps: int = inherited(TrainingOptions, "halving_steps", 2_000_000)
    adam_epsilon: float = inherited(TrainingOptions, "adam_epsilon", 1e-8)
    shards: str = option(
        "",
        "Folder of shards, of data/write_shards.py.",
        required=True,
        runtime_only=True,
    )
    eval_splits: tuple[str, ...] = option(
        ("eval",),
        "Splits on which the kept checkpoints are measured, if the clips "
        "carry their stems (synthetic scenes do).",
    )
    keep_steps: tuple[str, ...] = option(
        ("N=0", "F=500", "S1=5000", "S2=1700000"),
        "Steps whose network is kept as an audio processor: name=step, or a "
        "step alone. Step 0 is the untrained network.",
    )
    crop_seconds: float = option(
        10.0, "Length of the random crops that are mixed, seconds.", minimum=0.1
    )
    num_sources: int = option(
        2,
        "M, channels to split into.",
        minimum=2,
        group="Network and loss",
    )
    mixit_search: str = option(
        "exact",
        "How channels are assigned to the two mixtures: by comparing all 2^M "
        "assignments, or by least squares, for many sources.",
        choices=MIXIT_SEARCHES,
    )
    max_snr_db: float = option(30.0, "Soft cap of the loss, dB.")
    basis: str = option(
        "learned",
        "Analysis and synthesis of the waveform.",
        choices=("learned", "stft"),
    )
    bottleneck: int = option(256, "Channels between the blocks.", minimum=1)
    conv_channels: int = option(512, "Channels inside a block.", minimum=1)
    num_dilations: int = option(
        8, "Blocks of a repeat, with dilations 1, 2, 4, ...", minimum=1
    )
    num_repeats: int = option(4, "Repeats.", minimum=1)
    consistency: str = option(
        "predicted",
        "How estimates are made to sum to the mixture.",
        choices=("predicted", "magsq", "uniform", "none"),
    )

    def __post_init__(self):
        super().__post_init__()
        too_many = self.num_sources > MAX_EXACT_SOURCES
        if too_many and self.mixit_search == "exact":
            raise ValueError(
                f"--num_sources={self.num_sources}: the exact search takes at "
                f"most {MAX_EXACT_SOURCES}; use --mixit_search=least_squares"
            )
        self.processors()

    def processors(self) -> dict[str, int]:
        """Name of each kept processor and its step, by step."""
        return parse_kept_steps(self.keep_steps, self.steps)
