"""Checkpoints of torch, and hostile files in their place.

CHECKPOINT_FUZZ_CASES=10000 tries more of them.
"""

import io
import os
import pathlib
import pickletools
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from data.run.errors import UserError
from tests.train.published import torch_files
from tests.train.published.torch_files import name, number, storage, text
from train.published import torch_checkpoint

CASES = int(os.environ.get("CHECKPOINT_FUZZ_CASES", 500))
GOLDEN = pathlib.Path(__file__).parents[2] / "golden"
FORMATS = ("zip", "legacy")
# Of the five pickles of the legacy format, before the storages.
PICKLE_BYTES = 3047

_BASE = np.arange(12, dtype="f4").reshape(3, 4)
TENSORS = {
    "float64": np.arange(-2, 3) / 3,
    "float32": np.arange(-2, 3, dtype="f4") / 3,
    "float16": (np.arange(-2, 3) / 4).astype("f2"),
    "int64": np.arange(-2, 3) * 2**40,
    "int32": (np.arange(-2, 3) * 2**20).astype("i4"),
    "int16": (np.arange(-2, 3) * 2**10).astype("i2"),
    "int8": (np.arange(-2, 3) * 50).astype("i1"),
    "uint8": np.arange(251, 256).astype("u1"),
    "bool": np.array([True, False, True]),
    "transposed": _BASE.T,
    "column": _BASE[1:, 2],
    "expanded": np.array([[1.5] * 3, [2.5] * 3], "f4"),
    "scalar": np.array(7, "f4"),
    "empty": np.zeros((0, 3), "f4"),
    "parameter": np.full((2, 2), 0.25, "f4"),
}
BATCH_NORM = {
    "weight": np.array([0, 0.5, 1], "f4"),
    "bias": np.array([1, 1.5, 2], "f4"),
    "running_mean": np.array([2, 2.5, 3], "f4"),
    "running_var": np.array([3, 3.5, 4], "f4"),
    "num_batches_tracked": np.array(41),
}


def _read_bytes(tmp_path, content: bytes):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    return torch_checkpoint.read(path)


def _assert_tensors(found, expected):
    assert list(found) == list(expected)
    for key, values in expected.items():
        assert found[key].dtype == values.dtype
        np.testing.assert_array_equal(found[key], values)
        assert found[key].shape == values.shape


@pytest.mark.parametrize("form", FORMATS)
def test_files_of_torch_are_read(form):
    found = torch_checkpoint.read(GOLDEN / f"torch_{form}.pth")
    tensors = found.pop("tensors")
    _assert_tensors(tensors, TENSORS)
    _assert_tensors(found.pop("model"), BATCH_NORM)
    assert np.shares_memory(tensors["transposed"], tensors["column"])
    assert tensors["expanded"].strides == (4, 0)
    assert found == {
        "iteration": -70000,
        "best": 0.4375,
        "done": True,
        "nothing": None,
        "size": (2, 3),
        "sampler": {
            "indexes": None,
            "mean": None,
            "pointer": 3,
            "queue": [1, 2, 300],
        },
    }


def test_big_endian_archive(tmp_path):
    pickled = _tensor(sizes=(2,), strides=(1,))
    data = {"0": np.array([1.5, -2, 0, 0, 0, 0], ">f4").tobytes()}
    path = torch_files.write_zip(tmp_path / "x.pth", pickled, data, "big")
    np.testing.assert_array_equal(torch_checkpoint.read(path), [1.5, -2])


SYSTEM = name("posix", "system") + b"(" + text("touch pwned") + b"tR"
ORDERED = name("collections", "OrderedDict")
FLOATS = storage("FloatStorage", "0", 6)


def _tensor(offset=0, sizes=(2, 3), strides=(3, 1), of=FLOATS):
    return torch_files.tensor(of, offset, sizes, strides)


def _named(kind, key, count):
    return _tensor(of=storage(kind, key, count))


HUGE = b"\xff" * 7 + b"\x7f"
DEEP = b")" + b"\x85" * 30_000  # Nested tuples.
# Of one hash: that of a whole number is its rest for 2**61 - 1.
COLLIDING = b"".join(
    b"\x8a\x0a" + (key * (2**61 - 1)).to_bytes(10, "little") + b"N"
    for key in range(5000)
)
SEVEN = name("torch._utils", "_rebuild_tensor_v2") + b"(" + b"N" * 7 + b"tR"
HOSTILE = {
    "names": [
        (SYSTEM, "names posix.system, which no checkpoint needs: save"),
        (text("os") + text("system") + b"\x93", "names os.system, which"),
        (name("collections", "OrderedDict.fromkeys"), "fromkeys, which"),
        (
            ORDERED + b")R}(" + text("__setstate__") + SYSTEM + b"ub",
            "names posix.system",
        ),
    ],
    "calls": [
        (ORDERED + b"(](NNtatR", "starts with items"),
        (name("torch", "FloatStorage") + b")R", "not callable"),
        (name("_codecs", "encode") + b")R)R", "'NoneType' object is not"),
        (SEVEN, "too many values"),
    ],
    "keys and memo": [
        (b"]" + number(0) + number(1) + b"s", "adds to what is no dict"),
        (_tensor() + number(0) + number(1) + b"s", "adds to what is no dict"),
        (b"}" + DEEP + b"Ns", "has a tuple as a key"),
        (b"}(" + COLLIDING + b"u", "more than 4096 numbers: save the state_"),
        (b"Nr\xff\xff\xff\x7f", "its pickle counts wrongly"),
        (b"Nq\0q\xff", "its pickle counts wrongly"),
    ],
    "storages": [
        (_named("FloatStorage", "0", 2**40), "larger than the file"),
        (_named("FloatStorage", "0", -1), "negative dimensions"),
        (
            _named("LongStorage", "0", 6),
            "has 24 bytes, its tensors need 48|of another size",
        ),
        (
            b"(" + FLOATS + storage("IntStorage", "0", 6) + b"t",
            "describes a storage in two ways",
        ),
        (
            _named("FloatStorage", "../x", 6),
            "no item named 'archive/data/../x'|lists other storages",
        ),
        # A part of the storage, in torch before 0.4.
        (FLOATS[:-2] + number(0) + b"tQ", "describes a storage wrongly"),
        (b"(NN" + DEEP + b"N" + number(6) + b"tQ", "a storage wrongly"),
        (b"(" + _tensor() + b"tQ", "not enough values"),
    ],
    "tensors": [
        (_tensor(offset=1), "reaches to number 6 of .* 6"),
        (_tensor(strides=(4, 1)), "reaches to number 6 of .* 6"),
        (_tensor(offset=-1), "describes a tensor wrongly"),
        (_tensor(strides=(3, -1)), "describes a tensor wrongly"),
        (
            _tensor(sizes=(2**20, 2**20), strides=(0, 0)),
            r"\(1048576, 1048576\) numbers is larger than the file",
        ),
        (
            _tensor(sizes=(2**47, 2**47, 0), strides=(0, 0, 0)),
            r"a tensor of \(.*, 0\) numbers is larger than the file",
        ),
        (_tensor(sizes=(2**62, 3)), "describes a tensor wrongly"),
        (_tensor(sizes=(2,)), "describes a tensor wrongly"),
        (_tensor(sizes=(1,) * 33, strides=(0,) * 33), "a tensor wrongly"),
    ],
    # That Python tells in its own words; sizes are only told.
    "damage": [
        (pickled, "is truncated or damaged: ")
        for pickled in (
            b"",
            b"h\x05",
            b"}(" + text("a") + b"u",
            b"X\x02\0\0\0\xff\xfe",
            b"B\xff\xff\xff\xff",
            b"\x96" + HUGE,
        )
    ],
    "instructions": [
        (pickled, "has the pickle instruction b'.*', which no")
        for pickled in (
            ORDERED + b")\x81",  # New objects, in two ways.
            b"(iposix\nsystem\n",
            b"\x82\x01",  # Names by number.
            b"(" + DEEP + b"\x91",  # A set.
        )
    ],
}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_what_no_checkpoint_needs_is_refused(kind, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write = getattr(torch_files, f"write_{form}")
    for pickled, told in HOSTILE[kind]:
        path = write(tmp_path / "x.pth", pickled, {"0": bytes(24)})
        _assert_refused_in_little_memory(path, told)
    assert [file.name for file in tmp_path.iterdir()] == ["x.pth"]


def _assert_refused_in_little_memory(path, told):
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=f"x.pth .*({told})"):
            torch_checkpoint.read(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**20 + 100 * path.stat().st_size


def test_an_entry_of_two_gigabytes_is_not_believed(tmp_path):
    path = torch_files.write_zip(tmp_path / "x.pth", FLOATS, {"0": bytes(24)})
    told, larger = (struct.pack("<LL", n, n) for n in (24, 2**31 - 1))
    assert path.read_bytes().count(told) == 2
    path.write_bytes(path.read_bytes().replace(told, larger))
    _assert_refused_in_little_memory(path, "torch.save compresses nothing")


@pytest.mark.parametrize(
    "data, told",
    [
        ({}, "lists other storages than it uses"),
        ({"0": bytes(20)}, "of another size"),
    ],
)
def test_the_legacy_format_is_no_less_strict(data, told, tmp_path):
    path = torch_files.write_legacy(tmp_path / "x.pth", _tensor(), data)
    with pytest.raises(UserError, match=f"x.pth .*{told}"):
        torch_checkpoint.read(path)


def test_a_legacy_count_is_not_believed(tmp_path):
    of = storage("FloatStorage", "0", 6, legacy=True)
    path = tmp_path / "x.pth"
    torch_files.write_legacy(path, _tensor(of=of), {"0": bytes(24)})
    found = torch_checkpoint.read(path)
    np.testing.assert_array_equal(found, np.zeros((2, 3)))
    content = path.read_bytes()
    for count in (-1, 2**60, 7):
        path.write_bytes(content[:-32] + struct.pack("<q", count) + bytes(24))
        with pytest.raises(UserError, match="of another size"):
            torch_checkpoint.read(path)


def test_a_pickle_has_a_longest_length(tmp_path, monkeypatch):
    path = torch_files.write_zip(tmp_path / "x.pth", b"]" + b"Na" * 50, {})
    monkeypatch.setattr(torch_checkpoint, "_MOST_INSTRUCTIONS", 102)
    assert torch_checkpoint.read(path) == [None] * 50
    monkeypatch.setattr(torch_checkpoint, "_MOST_INSTRUCTIONS", 101)
    with pytest.raises(UserError, match="x.pth has a longer pickle"):
        torch_checkpoint.read(path)


def test_an_optimizer_has_numbers_as_keys(tmp_path):
    items = b"".join(number(key) + b"N" for key in range(4096))
    path = torch_files.write_zip(tmp_path / "x.pth", b"}(" + items + b"u", {})
    assert torch_checkpoint.read(path) == dict.fromkeys(range(4096))


def test_deep_nesting_is_no_crash(tmp_path):
    pickled = b"]" * 30_000 + b"a" * (30_000 - 1)
    path = torch_files.write_zip(tmp_path / "x.pth", pickled, {})
    found, depth = torch_checkpoint.read(path), 0
    while found:
        [found], depth = found, depth + 1
    assert depth == 30_000 - 1


@pytest.mark.parametrize("form", FORMATS)
def test_every_truncation_is_told(form, tmp_path):
    content = (GOLDEN / f"torch_{form}.pth").read_bytes()
    for length in range(0, len(content), 97):
        with pytest.raises(UserError, match="x.pth is "):
            _read_bytes(tmp_path, content[:length])


@pytest.mark.parametrize("form", FORMATS)
def test_a_flipped_bit_is_told_or_does_no_harm(form, tmp_path):
    whole = (GOLDEN / f"torch_{form}.pth").read_bytes()
    random = np.random.default_rng(0)
    told = 0
    for _ in range(CASES // 2):
        content = bytearray(whole)
        content[random.integers(len(content))] ^= 1 << random.integers(8)
        try:
            found = _read_bytes(tmp_path, bytes(content))
        except UserError:
            told += 1
            continue
        if form == "zip":  # Which has checksums.
            _assert_tensors(found["tensors"], TENSORS)
    assert told > CASES / 20


def test_changed_pickles_are_told_or_read(tmp_path):
    content = (GOLDEN / "torch_legacy.pth").read_bytes()
    whole, storages = content[:PICKLE_BYTES], content[PICKLE_BYTES:]
    codes = [ord(opcode.code) for opcode in pickletools.opcodes]
    random = np.random.default_rng(1)
    told = 0
    for _ in range(CASES):
        changed = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            at, other = random.integers(len(whole), size=2)
            replaced, copied = random.integers(3), random.integers(30)
            changed[at : at + replaced] = (
                whole[other : other + copied]
                if random.random() < 0.5
                else bytes([random.choice(codes)])
            )
        try:
            _read_bytes(tmp_path, bytes(changed) + storages)
        except UserError:
            told += 1
    assert CASES / 2 < told < CASES


def _archive(entries: dict[str, bytes], compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "is no file of torch.save"),
        (b"\x80\x02K\x01.", "is no file of torch.save"),
        (torch_files.MAGIC[:-1], "is truncated"),
        (_archive({"weights.npy": b"x"}), "not one of torch.save"),
        (
            _archive({"a/data.pkl": b"N.", "b/data.pkl": b"N."}),
            "not one of torch.save",
        ),
        (
            _archive({"a/data.pkl": b"N."}, zipfile.ZIP_DEFLATED),
            "torch.save compresses nothing",
        ),
        (_archive({"a/data.pkl": b"N"}), "is truncated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_formats_are_named(content, told, tmp_path):
    with pytest.raises(UserError, match=f"x.pth .*{told}"):
        _read_bytes(tmp_path, content)


def test_a_file_that_cannot_be_opened_is_told(tmp_path):
    with pytest.raises(UserError, match="no.pth cannot be read: No such file"):
        torch_checkpoint.read(tmp_path / "no.pth")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        torch_checkpoint.read(tmp_path)
