"""`dataset.json`: what is in a folder of shards."""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Sequence
from typing import Annotated, TypedDict

from data.audio.encoding import AUDIO_FORMATS
from data.run import content, json_file
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.run.json_file import Count, PlainName

DATASET_FILE = "dataset.json"
SHARD_SUFFIX = ".tfrecord"

# What is read is checked: shards of others are read as well as ours.
_Rate = Annotated[int, lambda hz: 0 < hz < 1e9, "a sample rate, Hz"]
_Format = Annotated[str, AUDIO_FORMATS.__contains__, " or ".join(AUDIO_FORMATS)]
# Of an empty record: its length, and two checksums.
_LEAST_RECORD_BYTES = 16
_Shard = Annotated[
    PlainName, lambda name: name.endswith(SHARD_SUFFIX), f"a {SHARD_SUFFIX}"
]


class Summary(TypedDict, total=False):
    """Counts for people; there are more, named by what is counted."""

    clips: dict[str, Count]
    seconds: dict[str, float]
    unlabeled: dict[str, Count]
    rejects: dict[str, Count]


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
      file: its name.
      clips: records in it.
      seconds: of all clips together.
      num_bytes: its size.
      sha256: digest of the file.
      sound_sha256: digest of its records without their labels.
    """

    file: _Shard
    clips: Count
    seconds: float
    num_bytes: Count
    sha256: str
    sound_sha256: str

    def __post_init__(self):
        if self.clips * _LEAST_RECORD_BYTES > self.num_bytes:
            raise ValueError(
                f"{self.file} cannot hold {self.clips} clips in "
                f"{self.num_bytes} bytes"
            )


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
      offsets_sha256: digest of `offsets.npy`.
    """

    folder: pathlib.Path
    sample_rate_hz: _Rate
    audio_format: _Format
    class_names: tuple[str, ...]
    splits: dict[PlainName, tuple[Shard, ...]]
    processors: tuple[PlainName, ...] = ()
    num_channels: Count = 0
    has_stems: bool = False
    summary: Summary = dataclasses.field(default_factory=dict)
    offsets_sha256: str = ""

    def __post_init__(self):
        shards = [*itertools.chain.from_iterable(self.splits.values())]
        for what, names in (
            ("shard", [shard.file for shard in shards]),
            ("class", self.class_names),
            ("processor", self.processors),
        ):
            if len(set(names)) < len(names):
                twice = next(n for n in names if [*names].count(n) > 1)
                raise ValueError(f"{what} {twice!r} is there twice")
        if bool(self.processors) != bool(self.num_channels):
            raise ValueError(
                f"num_channels is {self.num_channels}, with "
                f"{len(self.processors)} processors"
            )

    def __hash__(self) -> int:
        """That of equal ones is equal."""
        return hash((self.folder, self.offsets_sha256))

    @functools.cached_property
    def shard_named(self) -> dict[str, Shard]:
        """The shards of all splits, by file name."""
        shards = itertools.chain.from_iterable(self.splits.values())
        return {shard.file: shard for shard in shards}

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
        remedy = (
            "delete it and write the shards again (only what is missing is "
            "made)"
        )
        return json_file.read(file, cls, remedy, folder=folder)

    def check_whole(self) -> None:
        """Checks that every shard is as long as when it was written.

        Raises:
          UserError: one is missing or has another size.
        """
        for shard in self.shard_named.values():
            file = self.folder / shard.file
            size = file.stat().st_size if file.exists() else None
            if size != shard.num_bytes:
                found = "is missing" if size is None else f"has {size} bytes"
                raise UserError(
                    f"shard {file} {found}, {DATASET_FILE} says "
                    f"{shard.num_bytes}: write the shards again (only the "
                    "missing ones are made)"
                )

    def sound_sha256(self, splits: Sequence[str]) -> str:
        """Digest of all that training on some splits depends on.

        Labels, class names, file names and folders are no part of it.
        """
        shards = self.shards_of(splits)
        facts = self._reading_facts()
        return content.value_sha256([facts, [s.sound_sha256 for s in shards]])

    def shard_sha256(self, shard: Shard) -> str:
        """Digest of a shard's clips with their labels by name."""
        facts = self._reading_facts()
        return content.value_sha256([facts, self.class_names, shard.sha256])

    def clips_sha256(self, splits: Sequence[str]) -> str:
        """Digest of all clips of some splits, with their labels by name."""
        return content.value_sha256(
            [
                [name, [*map(self.shard_sha256, self.shards_of([name]))]]
                for name in splits
            ]
        )

    def _reading_facts(self) -> list:
        """What says how a record is read."""
        return [
            self.sample_rate_hz,
            self.audio_format,
            self.processors,
            self.num_channels,
            self.has_stems,
        ]

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
