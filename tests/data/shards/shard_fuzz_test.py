"""Reads shards damaged at random.

A case is one damaged shard of four records. Shards are read in sets, half of
them damaged, in order and shuffled, with offsets and without, by an index
made before the damage and by one made after.
"""

import collections

import numpy as np
import pytest
import tensorflow as tf

from data.audio import codec
from data.shards import example_schema, record_reader, shard_offsets
from data.shards.bad_records import PASSING, examine
from data.shards.record_check import parse_checked
from data.shards.record_index import RecordIndex
from data.shards.record_reader import FAILED, POSITION
from data.shards.shard_offsets import HEADER_BYTES
from tests.train.small_shards import write_shards

RECORDS = 4


@pytest.mark.parametrize(
    "cases", [50, pytest.param(3000, marks=pytest.mark.long)]
)
def test_damaged_shards_cost_what_is_damaged_and_no_more(tmp_path, cases):
    """No hang, no crash, every intact clip once, every other one listed."""
    rng = np.random.default_rng(7)
    causes = collections.Counter()
    a_set = min(100, cases // 2)
    for number in range(cases // a_set):
        audio_format = ("pcm16", "flac")[number % 2]
        shards = _ShardSet(tmp_path / str(number), a_set, rng, audio_format)
        causes.update(shards.check())
    expected = {"missing_file", "truncated", "checksum", "not_an_example"}
    assert expected <= set(causes)


class _ShardSet:
    """Shards of which `count` are damaged, and as many are not."""

    def __init__(self, folder, count, rng, audio_format):
        clips = [
            rng.uniform(-0.5, 0.5, rng.integers(1, 90))
            for _ in range(2 * count * RECORDS)
        ]
        channels = {"P": [np.stack([c / 3, c / 2]) for c in clips]}
        self.info = write_shards(
            folder,
            clips,
            channels,
            [c[None] for c in clips],
            num_shards=2 * count,
            audio_format=audio_format,
        )
        # Clip k is record k // shards of shard k mod shards.
        stored = [
            f"clip{k}".encode()
            for first in range(2 * count)
            for k in range(first, len(clips), 2 * count)
        ]
        self.number_of = {clip_id: n for n, clip_id in enumerate(stored)}
        self.before = self.index()
        self.order = [n for n, _, _ in self.shuffled(self.before)]
        self.files = [folder / shard.file for shard in self.before.shards]
        self.written = [file.read_bytes() for file in self.files]
        self.causes: list[str] = []
        # Records with other contents and right checksums.
        self.tampered: set[int] = set()
        for shard in rng.choice(2 * count, count, replace=False).tolist():
            self.damage(shard, rng)
        self.left = [f.read_bytes() if f.exists() else b"" for f in self.files]
        offsets = folder / shard_offsets.OFFSETS_FILE
        kept = offsets.read_bytes()
        offsets.write_bytes(rng.bytes(500))
        self.without_offsets = self.index()
        offsets.write_bytes(kept)

    def index(self) -> RecordIndex:
        return RecordIndex.of(self.info, ["train"])

    def damage(self, shard: int, rng: np.random.Generator) -> None:
        content = bytearray(self.written[shard])
        kind = rng.integers(9)
        number = int(self.before.first_of[shard]) + rng.integers(RECORDS)
        start = int(self.before.offset_of[number])
        size = int(self.before.size_of[number])
        if kind == 0:  # A length or its checksum.
            content[start + rng.integers(HEADER_BYTES)] ^= _bit(rng)
        elif kind == 1:  # The checksum of a record.
            content[start + size - 1 - rng.integers(4)] ^= _bit(rng)
        elif kind == 2:
            for _ in range(rng.integers(1, 5)):
                content[rng.integers(len(content))] ^= _bit(rng)
        elif kind == 3:
            del content[rng.integers(len(content)) :]
        elif kind == 4:
            content += rng.bytes(rng.integers(1, 400))
        elif kind == 5:  # Noise, and maybe bytes missing or added.
            first = rng.integers(len(content))
            last = first + rng.integers(40)
            content[first:last] = rng.bytes(rng.integers(60))
        elif kind == 6:
            content = bytearray(rng.bytes(rng.integers(3000)))
        elif kind == 7:
            record = content[start + HEADER_BYTES : start + size - 4]
            for _ in range(rng.integers(1, 4)):
                # Where its keys and the heads of its sounds are, or anywhere.
                within = rng.choice([60, 200, len(record)])
                record[rng.integers(min(within, len(record)))] ^= _bit(rng)
            with tf.io.TFRecordWriter(str(self.files[shard])) as writer:
                writer.write(bytes(record))
            content[start : start + size] = self.files[shard].read_bytes()
            self.tampered.add(number)
        if kind == 8:
            self.files[shard].unlink()
        else:
            self.files[shard].write_bytes(content)

    def is_kept(self, number: int, size: int) -> bool:
        """Whether bytes of record `number` are where and what they were."""
        shard = self.before.shard_of[number]
        start = int(self.before.offset_of[number])
        written = self.written[shard][start : start + size]
        return self.left[shard][start : start + size] == written

    def check(self) -> list[str]:
        """Fails an assertion, or returns the causes that were listed."""
        everything = range(len(self.before))
        sizes = self.before.size_of.tolist()
        intact = {n for n in everything if self.is_kept(n, sizes[n])}
        read = self.check_in_order(self.before, intact, intact)
        index = self.index()
        assert self.check_in_order(index, intact, intact) == read
        for number, position, failed in self.shuffled(index):
            wanted = self.order[position]
            assert (failed == 0) == (wanted in read), (position, failed)
            assert failed or number == wanted or wanted in self.tampered
            assert number in read or number not in everything
        # Without offsets a damaged header may hide what follows it.
        reached = set()
        for first in self.before.first_of.tolist():
            for number in range(first, first + RECORDS):
                if not self.is_kept(number, HEADER_BYTES):
                    break
                reached.add(number)
        again = self.check_in_order(
            self.without_offsets, intact & reached, intact
        )
        assert read & reached <= again <= read
        return self.causes

    def check_in_order(
        self, index: RecordIndex, must: set[int], may: set[int]
    ) -> set[int]:
        """Checks what is read and what is listed; returns what is read."""
        failed = []
        to_id = _to_id(self.info)
        elements = record_reader.examples_in_order(index, to_id, failed.extend)
        clips = [self.number_of.get(clip_id, -1) for clip_id, _ in elements]
        assert failed == sorted(set(failed))
        read = sorted(set(range(len(index))) - set(failed))
        # Each once and in order, none in another's place.
        for number, clip in zip(read, clips, strict=True):
            assert clip == number or number in self.tampered, (number, clip)
        assert must <= set(read) <= may | self.tampered
        for row in examine(index, failed):
            assert row.cause != PASSING, row
            self.causes.append(row.cause)
        return set(read)

    def shuffled(self, index: RecordIndex):
        to_id = _to_id(self.info)
        stream = record_reader.shuffled_examples(
            index, lambda position, record: to_id(record), 3
        )
        elements = stream.take(len(index)).as_numpy_iterator()
        for (clip_id, _), status in elements:
            position, failed = int(status[POSITION]), int(status[FAILED])
            yield self.number_of.get(clip_id, -1), position, failed


def _to_id(info):
    """Parses all of a record and decodes its mixture, for its id."""

    def to_id(record):
        clip = parse_checked(record, info, info.processors, info.has_stems)
        sound = codec.decode(clip[example_schema.AUDIO], info.audio_format)
        # What is not used is not decoded either.
        return clip[example_schema.CLIP_ID], tf.size(sound)

    return to_id


def _bit(rng: np.random.Generator) -> int:
    return 1 << int(rng.integers(8))
