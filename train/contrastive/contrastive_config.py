"""Configuration of contrastive pretraining."""

import dataclasses

from data.run.flag_fields import inherited, option
from train.loop.training_options import TrainingOptions, parse_kept_steps

COMPARISONS = ("mix_vs_mix", "mix_vs_chan", "chan_vs_chan")
FRONTENDS = ("google", "panns")
OBJECTIVES = ("similarity", "coincidence", "joint", "triplet")

# What some flags need to have an effect.
_SEPARATED = {"comparison": ("mix_vs_chan", "chan_vs_chan")}
_SIMILARITY = {"objective": ("similarity", "joint")}
_AUGMENTED = {"spec_augment": ()}
_PROBED = {"probe_every": ()}


@dataclasses.dataclass(frozen=True)
class ContrastiveConfig(TrainingOptions):
    """Flags of train/pretrain_contrastive.py; defaults are the slides' where
    they state a value, and our choice elsewhere."""

    steps: int = inherited(TrainingOptions, "steps", 200_000)
    batch_size: int = option(512, "Clips in a batch.", minimum=2)
    micro_batch_size: int = option(
        0,
        "View pairs that go through CNN14 at once, to save memory; the step "
        "stays that of the whole batch. 0: all.",
        minimum=0,
        runtime_only=True,
        group="Devices",
    )
    warmup_steps: int = inherited(TrainingOptions, "warmup_steps", 1000)
    cosine_decay: bool = inherited(TrainingOptions, "cosine_decay", True)
    shards: str = option(
        "",
        "Folder of shards: of write_shards, or of separate_shards.",
        required=True,
        runtime_only=True,
    )
    comparison: str = option(
        "mix_vs_chan", "The two views compared.", choices=COMPARISONS
    )
    objective: str = option(
        "joint",
        "similarity: NT-Xent. coincidence: BCE over all pairs. joint: both. "
        "triplet: margin loss on h, for --comparison=mix_vs_mix.",
        choices=OBJECTIVES,
    )
    processors: tuple[str, ...] = option(
        (),
        "Separator checkpoints whose channels are views; one is drawn for "
        "each example (OR rule). Empty: all that the shards, or the "
        "--separator, have.",
        needs=_SEPARATED,
    )
    separator: str = option(
        "",
        "Run directory of train_separation or import_separator: separate on "
        "the fly with its "
        "checkpoints. Empty: read channels that the shards carry.",
        needs=_SEPARATED,
        runtime_only=True,
    )
    clip_seconds: float = option(
        10.0,
        "Length to which clips are cut or padded before they are separated "
        "on the fly, seconds.",
        minimum=0.96,
        needs={"separator": ()} | _SEPARATED,
    )
    temperature: float = option(
        0.1, "Temperature of NT-Xent.", minimum=1e-4, needs=_SIMILARITY
    )
    coincidence_weight: float = option(
        1.0,
        "Weight of the coincidence loss in the joint one.",
        minimum=0,
        needs={"objective": ("joint",)},
    )
    triplet_margin: float = option(
        0.1,
        "Squared distance by which the triplet loss wants the negative to be "
        "farther than the positive.",
        minimum=0,
        needs={"objective": ("triplet",)},
    )
    tp_max_offset: float = option(
        0.0,
        "Temporal proximity: largest distance of the two views, seconds. 0: "
        "anywhere in the clip.",
        minimum=0,
    )
    spec_augment: bool = option(
        True,
        "Time and frequency masks and mild time warp on each view.",
        group="SpecAugment",
    )
    time_masks: int = option(
        2, "SpecAugment: masks along time.", minimum=0, needs=_AUGMENTED
    )
    time_mask_frames: int = option(
        16,
        "SpecAugment: widest mask along time, frames.",
        minimum=0,
        needs=_AUGMENTED | {"time_masks": ()},
    )
    freq_masks: int = option(
        2, "SpecAugment: masks along frequency.", minimum=0, needs=_AUGMENTED
    )
    freq_mask_bands: int = option(
        8,
        "SpecAugment: widest mask along frequency, mel bands.",
        minimum=0,
        needs=_AUGMENTED | {"freq_masks": ()},
    )
    time_warp_frames: int = option(
        8,
        "SpecAugment: largest move of the time warp, frames.",
        minimum=0,
        needs=_AUGMENTED,
    )
    silence_db: float = option(
        -70.0,
        "A channel view with an RMS level below this (dB re full scale) is "
        "replaced by the mixture.",
        needs=_SEPARATED,
    )
    frontend: str = option(
        "google",
        "Log-mel spectrogram. google: that of the AudioSet work. panns: that "
        "of PANNs, in decibels.",
        choices=FRONTENDS,
        group="Network",
    )
    initial_encoder: str = option(
        "",
        "Run directory of pretrain_contrastive or import_panns: CNN14 starts "
        "from its weights. Empty: from random ones.",
        runtime_only=True,
    )
    embedding_dim: int = option(128, "Size d of the embedding h.", minimum=1)
    width: float = option(
        1.0, "Multiplies the channels of CNN14; 1 is the published network."
    )
    hidden_layer: bool = option(
        False, "Keep the fully connected layer of PANNs before the bottleneck."
    )
    dropout: float = option(
        0.2, "Dropout after each block of CNN14.", minimum=0, maximum=0.9
    )
    hidden_dropout: float = option(
        0.5,
        "Dropout before and after the layer of --hidden_layer.",
        minimum=0,
        maximum=0.9,
        needs={"hidden_layer": ()},
    )
    head_units: int = option(
        512,
        "Hidden units of each head.",
        minimum=1,
        needs={"objective": ("similarity", "coincidence", "joint")},
    )
    projection_dim: int = option(
        128,
        "Size of z, on which NT-Xent is computed.",
        minimum=1,
        needs=_SIMILARITY,
    )
    keep_steps: tuple[str, ...] = option(
        (),
        "Steps whose encoder is kept in snapshots/<name> of --output, to be "
        "used as --encoder: name=step, or a step alone.",
        runtime_only=True,
        group="Snapshots and probes",
    )
    probe_every: int = option(
        0,
        "Steps between probes of the encoder, in a process of their own on "
        "the CPU: their mAP goes to probe.csv. 0: none.",
        minimum=0,
        runtime_only=True,
    )
    probe_shards: str = option(
        "",
        "Labeled shards that the encoder is probed with. Empty: --shards.",
        runtime_only=True,
        needs=_PROBED,
    )
    probe_train_splits: tuple[str, ...] = option(
        ("train",),
        "Splits that the classifier of the probe is trained on.",
        runtime_only=True,
        needs=_PROBED,
    )
    probe_eval_splits: tuple[str, ...] = option(
        ("eval",),
        "Splits that its mAP is of.",
        runtime_only=True,
        needs=_PROBED,
    )

    def __post_init__(self):
        super().__post_init__()
        self.snapshots()
        both = set(self.probe_train_splits) & set(self.probe_eval_splits)
        if both:
            raise ValueError(
                f"{','.join(sorted(both))} is in --probe_train_splits and "
                "--probe_eval_splits"
            )
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"--micro_batch_size={self.micro_batch_size} does not divide "
                f"--batch_size={self.batch_size}"
            )
        if self.objective == "triplet" and self.comparison != "mix_vs_mix":
            raise ValueError(
                "--objective=triplet makes its own positives of the mixture: "
                "it needs --comparison=mix_vs_mix, not "
                f"--comparison={self.comparison}"
            )

    def loss_weights(self) -> dict[str, float]:
        """Weight of each loss in the sum that is minimised."""
        if self.objective == "joint":
            return {"similarity": 1.0, "coincidence": self.coincidence_weight}
        return {self.objective: 1.0}

    def snapshots(self) -> dict[str, int]:
        """Name of each kept snapshot and its step, by step."""
        return parse_kept_steps(self.keep_steps, self.steps, "step-{}")
