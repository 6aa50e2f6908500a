"""Shows what is in some shards: counts, levels, channels and a few clips.

  python data/inspect_shards.py --shards=runs/shards --output=shards.html

Reads every clip once. Prints the main numbers and writes one page that needs
no network and no other file: clips, lengths, labels and classes of each split,
levels, clipped and silent clips, ids that occur twice, records that cannot be
used; for separated shards how loud the channels are, which are empty, and how
far their sum is from the mixture; and --sample clips to see and hear, drawn
by --seed. The same numbers are in a .json beside the page.
"""

import dataclasses
import pathlib
import sys

sys.path[0] = str(pathlib.Path(__file__).resolve().parents[1])

from data.run import entry_point, flag_fields, run_lock
from data.run.atomic_write import write_json, write_text
from data.run.errors import UserError
from data.run.flag_fields import option
from data.shards.dataset_info import DatasetInfo


@dataclasses.dataclass(frozen=True)
class InspectConfig:
    """the flags of this entry point"""

    shards: str = option(
        "",
        "output of data/write_shards.py or train/separate_shards.py",
        required=True,
    )
    splits: tuple[str, ...] = option((), "splits to look at; empty: all")
    output: str = option("", "page to write, ending in .html", required=True)
    sample: int = option(24, "clips in the page", minimum=0, maximum=1000)
    seed: int = option(
        0, "of the choice of clips", minimum=0, needs={"sample": ()}
    )
    audio_megabytes: float = option(
        18.0,
        "room for audio in the page, megabytes",
        minimum=0,
        needs={"sample": ()},
    )
    silence_db: float = option(
        -70.0,
        "RMS level below which a clip counts as silent and a channel as nearly "
        "empty, dB re full scale",
    )
    workers: int = option(0, "processes; 0: one for each core", minimum=0)

    def __post_init__(self):
        if not self.output.lower().endswith((".html", ".htm")):
            raise ValueError(
                f"--output={self.output} must name a file ending in .html"
            )


def main() -> None:
    inspect_shards(flag_fields.read(InspectConfig))


def inspect_shards(config: InspectConfig) -> pathlib.Path:
    """Writes the page; returns the path of the JSON beside it."""
    info = DatasetInfo.load(config.shards)
    splits = info.any_splits(config.splits)
    numbers = pathlib.Path(config.output).with_suffix(".json")
    if numbers.exists() and not pathlib.Path(config.output).exists():
        raise UserError(
            f"--output={config.output}: its numbers would replace {numbers}, "
            "which is of something else: choose another name"
        )
    run_lock.take_file(config.output)

    from data.inspection import page, scan
    from data.inspection.summary import summary

    found = scan.inspect(
        info,
        splits,
        config.sample,
        config.seed,
        config.silence_db,
        config.workers,
    )
    write_json(numbers, found.as_json())
    write_text(
        config.output,
        page.render(found, config.seed, int(config.audio_megabytes * 1e6)),
    )
    print(summary(found))
    print(f"page: {config.output}, numbers: {numbers}")
    return numbers


if __name__ == "__main__":
    flag_fields.define(InspectConfig)
    entry_point.run(main)
