"""The rows of `make bench`: what is measured, against what, and the goal."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Peer:
    """What a user would take instead.

    Attributes:
      title: for people.
      target: "file:function" in `peers`.
      goal: times as long as ours that it should take; None: no goal.
      arguments: besides those of the row.
      is_compiled: by a C++ compiler, as it starts, which takes its time.
    """

    title: str
    target: str
    goal: float | None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_compiled: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    """A piece of work.

    Attributes:
      title: for people.
      target: "file:function" in `ours`.
      arguments: of the functions, ours and peers'.
      peers: each is compared with ours.
      tolerance: greatest difference of the answers, relative to the largest
        value of ours.
      goal_s: seconds that ours should take at most; None: no such goal.
      is_long: left out where all is to be quick.
    """

    title: str
    target: str
    arguments: Mapping[str, Any]
    peers: tuple[Peer, ...] = ()
    tolerance: float = 1e-4
    goal_s: float | None = None
    is_long: bool = False


_SECONDS = 10.0

ROWS = (
    Row(
        "contrastive step, width 1, 2 x 16 views",
        "steps:contrastive",
        {"width": 1.0, "pairs": 16},
        (Peer("PyTorch", "contrastive:step", 1.3),),
        tolerance=2e-3,
        is_long=True,
    ),
    Row(
        "contrastive step, width 1/4, 2 x 128 views",
        "steps:contrastive",
        {"width": 0.25, "pairs": 128},
        (
            Peer("PyTorch", "contrastive:step", 1.5),
            Peer(
                "PyTorch, channels last",
                "contrastive:step",
                None,
                {"channels_last": True},
            ),
            Peer(
                "torch.compile",
                "contrastive:step",
                1.35,
                {"compiled": True},
                is_compiled=True,
            ),
        ),
        tolerance=2e-3,
    ),
    Row(
        "embedding, SavedModel, 1 clip of 10 s",
        "embedding:embed",
        {"clips": 1, "seconds": _SECONDS},
        (Peer("torchlibrosa, PyTorch", "embedding:embed", 2.0),),
    ),
    Row(
        "embedding, SavedModel, 16 clips of 10 s",
        "embedding:embed",
        {"clips": 16, "seconds": _SECONDS},
        (Peer("torchlibrosa, PyTorch", "embedding:embed", 2.0),),
        is_long=True,
    ),
    Row(
        "TDCN++, 1 clip of 10 s",
        "embedding:separate",
        {"clips": 1, "seconds": _SECONDS},
        (Peer("PyTorch", "separation:separate", 2.0),),
    ),
    Row(
        "MixIT step, TDCN++, 2 pairs of 2 s",
        "steps:separation",
        {"pairs": 2, "seconds": 2.0},
        (Peer("PyTorch", "separation:step", 1.7),),
        tolerance=2e-3,
    ),
    Row(
        "log-mel, 16 clips of 10 s",
        "embedding:log_mel",
        {"clips": 16, "seconds": _SECONDS},
        (
            Peer("torchlibrosa", "torchlibrosa_log_mel:log_mel", 3.0),
            Peer("torch.stft", "log_mel:log_mel", 1.1),
        ),
    ),
    Row(
        "MixIT loss and gradient, M = 8, 2 pairs of 5 s",
        "losses:mixit",
        {"pairs": 2, "sources": 8, "seconds": 5.0},
        (Peer("all assignments, PyTorch", "separation:mixit_loss", 300),),
    ),
    Row(
        "NT-Xent and gradient, N = 4096",
        "losses:contrastive",
        {"pairs": 4096},
        (Peer("PyTorch", "losses:plain_nt_xent", 2.0),),
    ),
    Row(
        "NT-Xent and gradient, N = 128",
        "losses:contrastive",
        {"pairs": 128},
        (
            Peer(
                "pytorch-metric-learning",
                "losses:metric_learning_nt_xent",
                None,
            ),
        ),
    ),
    Row(
        "coincidence loss and gradient, B = 512",
        "losses:coincidence",
        {"pairs": 512},
        (Peer("B x B concatenations, PyTorch", "losses:coincidence", 15),),
    ),
    Row(
        "mAP and AUC, 527 classes of 20,000 clips",
        "measures:tagging",
        {"classes": 527, "clips": 20_000},
        (Peer("scikit-learn", "measures:tagging", 6.0),),
        tolerance=1e-9,
    ),
    Row(
        "query by example, 527 classes of 200 clips",
        "measures:by_example",
        {"classes": 527, "clips": 20_000},
        (Peer("SciPy, scikit-learn", "measures:by_example", 5.0),),
        tolerance=1e-6,
    ),
    Row(
        "exact search, 1,000,000 x 128, top 10",
        "measures:search",
        {"records": 1_000_000},
        (
            Peer("NumPy, float32", "search:with_numpy", None),
            Peer("faiss IndexFlatIP", "search:with_faiss", 1.0),
            Peer("usearch, exact", "search:with_usearch", None),
        ),
        tolerance=0,
        goal_s=0.060,
    ),
    Row(
        "ingest, 100 WAVs of 10 s, whole process",
        "programs:ingest",
        {"recordings": 100, "seconds": _SECONDS},
        (Peer("soundfile and soxr in a pool", "ingest:ingest", None),),
        # Both round to 16 bits, by scales that differ.
        tolerance=5e-4,
        goal_s=2.0,
    ),
    Row(
        "first step of pretrain_contrastive.py, 2 x 2 views",
        "programs:first_step",
        {
            "trainer": "train/pretrain_contrastive.py",
            "flags": ["--batch_size=2"],
        },
        goal_s=8.0,
        is_long=True,
    ),
    Row(
        "first step of train_separation.py, 1 pair of 10 s",
        "programs:first_step",
        {
            "trainer": "train/train_separation.py",
            "flags": [
                "--flagfile=train/flagfiles/separation.flags",
                "--batch_size=1",
            ],
        },
        goal_s=12.0,
        is_long=True,
    ),
)
