"""`dataset.json`: what is in a folder of shards."""

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Sequence

from data.run.atomic_write import write_json
from data.run.errors import UserError

DATASET_FILE = "dataset.json"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file."""

    file: str
    clips: int
    seconds: float
    num_bytes: int


@dataclasses.dataclass(frozen=True)
class DatasetInfo:
    """A folder of shards.

    Attributes:
      folder: where the shards are.
      sample_rate_hz: of every clip.
      audio_format: how audio is encoded, one of `AUDIO_FORMATS`.
      class_names: label indices point here.
      splits: shards of each split, e.g. "train" and "eval".
      processors: names of the separator checkpoints whose channels the clips
        carry; empty before `train/separate_shards.py`.
      num_channels: M, channels of each processor; 0 when there is none.
      has_stems: whether clips carry their true sources.
      summary: counts for people: clips and seconds of each split, clips of
        each class, rejects by reason, clips resampled or mixed down.
    """

    folder: pathlib.Path
    sample_rate_hz: int
    audio_format: str
    class_names: tuple[str, ...]
    splits: dict[str, tuple[Shard, ...]]
    processors: tuple[str, ...] = ()
    num_channels: int = 0
    has_stems: bool = False
    summary: dict = dataclasses.field(default_factory=dict)

    def save(self) -> None:
        value = dataclasses.asdict(self)
        del value["folder"]
        write_json(self.folder / DATASET_FILE, value)

    @classmethod
    def load(cls, folder: str | pathlib.Path) -> "DatasetInfo":
        """Reads `folder`/dataset.json.

        The shards are not looked at: whoever reads them counts what cannot
        be read. See also `check_whole`.

        Raises:
          UserError: the folder or its dataset.json is missing, or that file
            is damaged.
        """
        if not str(folder):
            raise UserError(
                "--shards is empty: name an output of data/write_shards.py "
                "or train/separate_shards.py"
            )
        folder = pathlib.Path(folder)
        if not folder.is_dir():
            what = "is a file" if folder.exists() else "does not exist"
            raise UserError(
                f"{folder} {what}: name a folder of shards, of "
                "data/write_shards.py"
            )
        file = folder / DATASET_FILE
        if not file.exists():
            raise UserError(
                f"{folder} has no {DATASET_FILE}: its job has not finished, "
                "or it is not an output of data/write_shards.py; run that "
                "again"
            )
        try:
            value = json.loads(file.read_text(encoding="utf-8"))
            value["splits"] = {
                split: tuple(Shard(**shard) for shard in shards)
                for split, shards in value["splits"].items()
            }
            value["class_names"] = tuple(value["class_names"])
            value["processors"] = tuple(value["processors"])
            return cls(folder=folder, **value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"{file} is damaged ({error}): delete it and write the shards "
                "again (only what is missing is made)"
            ) from error

    def check_whole(self) -> None:
        """Checks that every shard is as long as when it was written.

        Raises:
          UserError: one is missing or has another size.
        """
        for shard in itertools.chain.from_iterable(self.splits.values()):
            file = self.folder / shard.file
            size = file.stat().st_size if file.exists() else None
            if size != shard.num_bytes:
                found = "is missing" if size is None else f"has {size} bytes"
                raise UserError(
                    f"shard {file} {found}, {DATASET_FILE} says "
                    f"{shard.num_bytes}: write the shards again (only the "
                    "missing ones are made)"
                )

    def training_splits(self, named: Sequence[str]) -> tuple[str, ...]:
        """The named splits; all but "eval", where none is named.

        Raises:
          UserError: see `shards_of`; or all clips are in "eval".
        """
        splits = tuple(named) or tuple(s for s in self.splits if s != "eval")
        in_eval = sum(shard.clips for shard in self.splits.get("eval", ()))
        if not named and in_eval and not self.clips_of(splits):
            raise UserError(
                f"{self.folder} has all of its {in_eval} clips in the split "
                "eval, which is not trained on unless --splits names it: name "
                "it, or write shards with a split to train on"
            )
        self.shards_of(splits)
        return splits

    def clips_of(self, splits: Sequence[str]) -> int:
        """Number of clips in some splits, which are known."""
        return sum(s.clips for split in splits for s in self.splits[split])

    def any_splits(self, named: Sequence[str]) -> tuple[str, ...]:
        """The named splits; all that hold clips, where none is named.

        Raises:
          UserError: see `shards_of`.
        """
        splits = tuple(named) or tuple(
            split
            for split, shards in sorted(self.splits.items())
            if any(shard.clips for shard in shards)
        )
        self.shards_of(splits)
        return splits

    def shards_of(self, splits: Sequence[str]) -> tuple[Shard, ...]:
        """Shards of the named splits.

        Raises:
          UserError: a split is unknown, or together they hold no clip.
        """
        for split in splits:
            if split not in self.splits:
                raise UserError(
                    f"{self.folder} has no split {split!r}: it has "
                    + ", ".join(sorted(self.splits))
                )
        shards = tuple(s for split in splits for s in self.splits[split])
        if not self.clips_of(splits):
            raise UserError(f"{self.folder}: {','.join(splits)} has no clip")
        return shards
