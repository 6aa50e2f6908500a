"""What goes into a report."""

import dataclasses

from data.run.flag_fields import option


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """Flags of `evaluate/report.py`.

    Raises:
      ValueError: there is nothing to report on, or --output is no .html file.
    """

    encoder: tuple[str, ...] = option(
        (), "Outputs of train/pretrain_contrastive.py, comma-separated."
    )
    separation: str = option(
        "", "Output of train/train_separation.py or import_separator.py."
    )
    probe: tuple[str, ...] = option(
        (), "Outputs of evaluate/probe.py, comma-separated."
    )
    retrieval: tuple[str, ...] = option(
        (), "Outputs of evaluate/retrieval.py, comma-separated."
    )
    shards: str = option(
        "", "Folder of shards to look into. Empty: the first encoder's."
    )
    splits: tuple[str, ...] = option(
        ("eval",), "Splits that examples and the map are taken from."
    )
    examples: int = option(
        4, "Mixtures shown with their channels.", minimum=0, maximum=50
    )
    queries: int = option(
        6,
        "Retrieval examples of each encoder.",
        minimum=0,
        maximum=100,
        needs={"encoder": ()},
    )
    max_map_clips: int = option(
        2000,
        "Clips on the map, drawn at random beyond.",
        minimum=2,
        needs={"encoder": ()},
    )
    audio_megabytes: float = option(
        18.0, "Room for audio inside the page, megabytes.", minimum=0.0
    )
    seed: int = option(0, "Of every random choice.", minimum=0)
    output: str = option("", "File to write, ending in .html.", required=True)

    def __post_init__(self):
        if not self.encoder and not self.shards:
            raise ValueError(
                "nothing to report on: name --encoder (an output of "
                "train/pretrain_contrastive.py) or --shards"
            )
        if not self.output.lower().endswith((".html", ".htm")):
            raise ValueError(
                f"--output={self.output} must name a file ending in .html"
            )
