"""Checkpoints of torch, and hostile files in their place.

CHECKPOINT_FUZZ_CASES=10000 tries more of them.
"""

import io
import os
import pathlib
import pickletools
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from data.run.errors import UserError
from tests import skips
from tests.train.published import torch_files
from tests.train.published.torch_files import (
    name,
    number,
    numbers,
    storage,
    text,
)
from train.published import torch_checkpoint
from train.published.torch_checkpoint import Opaque

CASES = int(os.environ.get("CHECKPOINT_FUZZ_CASES", 500))
GOLDEN = pathlib.Path(__file__).parents[2] / "golden"
FORMATS = ("zip", "legacy")
# Of five pickles, before the storages.
LEGACY_PICKLE_BYTES = 3047

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
            "indexes": Opaque("numpy.core.multiarray._reconstruct"),
            "mean": Opaque("numpy.core.multiarray.scalar"),
            "pointer": 3,
            "queue": [1, 2, 300],
        },
    }


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("protocol", [2, 4])
def test_round_trip_with_torch(form, protocol, tmp_path):
    torch = pytest.importorskip("torch", reason=skips.missing("torch"))
    state = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, 5), torch.nn.BatchNorm2d(3)
    ).state_dict()
    torch.save(
        {"model": state, "steps": list(range(2000))},
        tmp_path / "x.pth",
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=form == "zip",
    )
    found = torch_checkpoint.read(tmp_path / "x.pth")
    assert found["steps"] == list(range(2000))
    _assert_tensors(
        found["model"], {key: value.numpy() for key, value in state.items()}
    )


def test_big_endian_archive(tmp_path):
    path = tmp_path / "x.pth"
    values = np.array([1.5, -2], ">f4")
    with zipfile.ZipFile(path, "w") as archive:
        pickled = torch_files.tensor(
            storage("FloatStorage", "0", 2), 0, (2,), (1,)
        )
        archive.writestr("a/data.pkl", b"\x80\x02" + pickled + b".")
        archive.writestr("a/byteorder", "big")
        archive.writestr("a/data/0", values.tobytes())
    np.testing.assert_array_equal(torch_checkpoint.read(path), [1.5, -2])


SYSTEM = name("posix", "system") + b"(" + text("touch pwned") + b"tR"
EVAL = name("builtins", "eval") + b"(" + text("open('pwned', 'w')") + b"tR"
ORDERED = name("collections", "OrderedDict")
REBUILD = name("torch._utils", "_rebuild_tensor_v2")
FLOATS = storage("FloatStorage", "0", 6)


def _tensor(offset=0, sizes=(2, 3), strides=(3, 1), of=FLOATS):
    return torch_files.tensor(of, offset, sizes, strides)


HOSTILE = {
    "system": (SYSTEM, "names posix.system, which no checkpoint needs"),
    "eval": (EVAL, "names builtins.eval, which no"),
    "stack name": (
        text("os") + text("system") + b"\x93" + b"(" + text("ls") + b"tR",
        "names os.system, which no",
    ),
    "dotted": (name("collections", "OrderedDict.fromkeys"), "fromkeys, which"),
    "getattr": (name("builtins", "getattr"), "names builtins.getattr, which"),
    "numpy load": (name("numpy", "load"), "names numpy.load, which"),
    "loader of torch": (
        name("torch.storage", "_load_from_bytes"),
        "names torch.storage._load_from_bytes, which",
    ),
    "ordered dict of items": (
        ORDERED + b"(](" + text("a") + number(1) + b"tatR",
        "starts with items",
    ),
    "arguments are no tuple": (ORDERED + b"]R", "calls what is no function"),
    "call of a type": (
        name("torch", "FloatStorage") + b")R",
        "calls what is no function",
    ),
    "call of text": (text("eval") + b")R", "calls what is no function"),
    "call with a tensor for arguments": (
        ORDERED + _tensor() + b"R",
        "calls what is no function",
    ),
    "call with many arguments": (
        name("numpy", "dtype") + b"(" + b"N" * 100_000 + b"tR",
        "calls what is no function",
    ),
    "reduced to a name in a state": (
        ORDERED + b")R}(" + text("__setstate__") + SYSTEM + b"ub",
        "names posix.system, which",
    ),
    "call of a result": (
        name("_codecs", "encode") + b")R)R",
        "calls what is no function",
    ),
    "state of a list": (b"]" + b"}" + b"b", "adds to a list"),
    "state of a type": (
        ORDERED + b"}(" + text("__init__") + number(1) + b"ub",
        "adds to a function",
    ),
    "state of attributes of a function": (
        ORDERED + b"N}(" + text("__code__") + number(1) + b"u\x86b",
        "adds to a function",
    ),
    "state of a tensor": (_tensor() + b"}b", "adds to a ndarray"),
    "state of a type of storage": (
        name("torch", "FloatStorage") + b")b",
        "adds to a Float32DType",
    ),
    "item of a list": (b"]" + number(0) + number(1) + b"s", "adds to a list"),
    "item of a tensor": (
        _tensor() + number(0) + number(1) + b"s",
        "adds to a ndarray",
    ),
    "tensor as a key": (b"}" + _tensor() + b"Ns", "has a ndarray as a key"),
    "nested tuples as a key": (
        b"})" + b"\x85" * 30_000 + b"Ns",
        "has a tuple as a key",
    ),
    "huge memo": (b"Nr\xff\xff\xff\x7f", "its pickle counts wrongly"),
    "memo of chosen numbers": (b"Nq\0q\xff", "its pickle counts wrongly"),
    "key twice": (
        b"}(" + text("a") + b"N" + text("a") + b"Nu",
        "sets a key twice",
    ),
    # Of one hash: that of a whole number is its rest for 2**61 - 1.
    "colliding keys": (
        b"}("
        + b"".join(
            b"\x8a\x0a" + (key * (2**61 - 1)).to_bytes(10, "little") + b"N"
            for key in range(5000)
        )
        + b"u",
        "has a int as a key, or more than 4096 numbers: save the state_dict",
    ),
    "huge storage": (
        _tensor(of=storage("FloatStorage", "0", 2**40)),
        "larger than the file",
    ),
    "storage of too many": (
        _tensor(of=storage("FloatStorage", "0", 2**50)),
        "describes a storage wrongly",
    ),
    "negative storage": (
        _tensor(of=storage("FloatStorage", "0", -1)),
        "describes a storage wrongly",
    ),
    "storage of longs": (
        _tensor(of=storage("LongStorage", "0", 6)),
        "has 24 bytes, its tensors need 48|is truncated",
    ),
    "endless key of a storage": (
        _tensor(of=storage("FloatStorage", "0" * 1000, 6)),
        "describes a storage wrongly",
    ),
    "storage of two types": (
        b"(" + FLOATS + storage("IntStorage", "0", 6) + b"t",
        "describes a storage in two ways",
    ),
    "storage that lacks": (
        _tensor(of=storage("FloatStorage", "1", 6)),
        "lacks 'archive/data/1'|lists other storages than it uses",
    ),
    "key out of the archive": (
        _tensor(of=storage("FloatStorage", "../../x", 6)),
        "lacks 'archive/data/../../x'|lists other storages",
    ),
    "storage of another name": (
        b"(" + text("storage") + ORDERED + text("0") * 2 + number(6) + b"tQ",
        "describes a storage wrongly",
    ),
    "identifier is a tensor": (b"(" + _tensor() + b"tQ", "describes a storage"),
    "identifier is text": (text("storage") + b"Q", "refers to no storage"),
    "identifier is short": (
        b"(" + text("storage") + b"tQ",
        "describes a storage wrongly",
    ),
    "module": (b"(" + text("module") + ORDERED + b"tQ", "holds a whole module"),
    "past the end": (_tensor(offset=1), "reaches to number 6 of .* 6"),
    "stride past the end": (_tensor(strides=(4, 1)), "number 6 of .* 6"),
    "negative offset": (_tensor(offset=-1), "describes a tensor wrongly"),
    "negative stride": (_tensor(strides=(3, -1)), "describes a tensor wrong"),
    "negative size": (_tensor(sizes=(-2, 3)), "describes a tensor wrongly"),
    "huge size of stride 0": (
        _tensor(sizes=(2**20, 2**20), strides=(0, 0)),
        r"a tensor of \(1048576, 1048576\) numbers is larger than the file",
    ),
    "huge empty size": (
        _tensor(sizes=(2**47, 2**47, 0), strides=(0, 0, 0)),
        r"a tensor of \(.*, 0\) numbers is larger than the file",
    ),
    "size beyond integers": (_tensor(sizes=(2**62, 3)), "tensor wrongly"),
    "more strides than sizes": (_tensor(sizes=(2,)), "tensor wrongly"),
    "many axes": (
        _tensor(sizes=(1,) * 33, strides=(0,) * 33),
        "describes a tensor wrongly",
    ),
    "sizes are a list": (
        REBUILD + b"(" + FLOATS + number(0) + b"]]\x89)tR",
        "describes a tensor wrongly",
    ),
    "tensor without storage": (
        _tensor(of=text("storage")),
        "describes a tensor wrongly",
    ),
    "tensor with a conjugate bit": (
        REBUILD
        + b"("
        + FLOATS
        + number(0)
        + numbers((6,))
        + numbers((1,))
        + b"\x89)}tR",
        "describes a tensor wrongly",
    ),
}


# Damage that the unpickler of Python's tells in its own words.
DAMAGED = (
    b"",
    b"R",
    b"t",
    b"h\x05",
    b"}" + number(0) + b"a",
    b"}(" + text("a") + b"u",
    b"\x80\x06",
    number(1) + text("x") + b"\x93",
    b"c" + b"a" * 300,
    b"X\x02\0\0\0\xff\xfe",
    b"T\xff\xff\xff\xff",
    # Sizes up to 2**63 that are only told.
    b"X\xff\xff\xff\xff",
    b"B\xff\xff\xff\xff",
    b"\x8b\xff\xff\xff\x7f",
    b"\x8d" + b"\xff" * 7 + b"\x7f",
    b"\x8e" + b"\xff" * 7 + b"\x7f",
    b"\x96" + b"\xff" * 7 + b"\x7f",
    b"\x95" + b"\xff" * 7 + b"\x7f",
)
NEEDLESS = (
    ORDERED + b")\x81",  # New objects, in four ways.
    ORDERED + b")}\x92",
    b"(" + ORDERED + b"o",
    b"(iposix\nsystem\n",
    b"\x82\x01",  # Names by number.
    b"(" + b")" + b"\x85" * 30_000 + b"\x91",  # A set of nested tuples.
    b"]2",
    b"I1\n",
)
HOSTILE |= {ascii(p)[:40]: (p, "is truncated or damaged: ") for p in DAMAGED}
HOSTILE |= {ascii(p)[:40]: (p, "has the pickle instruct") for p in NEEDLESS}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_checkpoint_needs_is_refused(case, form, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickled, told = HOSTILE[case]
    write = getattr(torch_files, f"write_{form}")
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
    "pickled, data, told",
    [
        (_tensor(), {}, "lists other storages than it uses"),
        (_tensor(), {"0": bytes(20)}, "has 20 bytes, its tensors need 24"),
        (
            _tensor(),
            {"0": bytes(24), "1": bytes(24)},
            "lists other storages than it uses",
        ),
        (
            # Numbers of a part of the storage, in torch before 0.4.
            FLOATS[:-2] + number(0) + b"tQ",
            {"0": bytes(24)},
            "describes a storage wrongly",
        ),
    ],
)
def test_the_legacy_format_is_no_less_strict(pickled, data, told, tmp_path):
    path = torch_files.write_legacy(tmp_path / "x.pth", pickled, data)
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
        with pytest.raises(UserError, match="is truncated"):
            torch_checkpoint.read(path)


def test_a_pickle_has_a_longest_length(tmp_path, monkeypatch):
    path = torch_files.write_zip(tmp_path / "x.pth", b"]" + b"Na" * 50, {})
    monkeypatch.setattr(torch_checkpoint, "_MOST_INSTRUCTIONS", 102)
    assert torch_checkpoint.read(path) == [None] * 50
    for limit in ("_MOST_INSTRUCTIONS", "_MOST_PICKLE_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(torch_checkpoint, limit, 100)
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


@pytest.mark.parametrize("form", FORMATS)
def test_changed_pickles_are_told_or_read(form, tmp_path):
    whole = _pickles(form)
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
            _read_bytes(tmp_path, _with_pickles(form, bytes(changed)))
        except UserError:
            told += 1
    assert CASES / 2 < told < CASES


def _pickles(form: str) -> bytes:
    golden = GOLDEN / f"torch_{form}.pth"
    if form == "zip":
        return zipfile.ZipFile(golden).read("archive/data.pkl")
    return golden.read_bytes()[:LEGACY_PICKLE_BYTES]


def _with_pickles(form: str, pickles: bytes) -> bytes:
    golden = GOLDEN / f"torch_{form}.pth"
    if form == "legacy":
        return pickles + golden.read_bytes()[LEGACY_PICKLE_BYTES:]
    archive = zipfile.ZipFile(golden)
    entries = {entry: archive.read(entry) for entry in archive.namelist()}
    return _archive(entries | {"archive/data.pkl": pickles})


def _archive(entries: dict[str, bytes], compression=zipfile.ZIP_STORED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for entry, content in entries.items():
            archive.writestr(entry, content)
    return stream.getvalue()


def _tar():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("sys_info"))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "is no file of torch.save"),
        (b"hello, world", "is no file of torch.save"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is no file of torch.save"),
        (SYSTEM + b".", "is no file of torch.save$"),
        (b"\x80\x02K\x01.", "is no file of torch.save$"),
        (torch_files.MAGIC + b"\x80\x02K\x01.", "another protocol .* 1001"),
        (torch_files.MAGIC[:-1], "is truncated"),
        (_tar(), "is in the tar format of torch before 0.1.10"),
        (_archive({"weights.npy": b"x"}), "not one of torch.save"),
        (
            _archive({"a/data.pkl": b"N.", "b/data.pkl": b"N."}),
            "not one of torch.save",
        ),
        (
            _archive({"a/data.pkl": b"N.", "a/constants.pkl": b"N."}),
            "is a TorchScript archive",
        ),
        (
            _archive({"a/data.pkl": b"N."}, zipfile.ZIP_DEFLATED),
            "torch.save compresses nothing",
        ),
        (
            _archive({"a/data.pkl": b"N.", "a/byteorder": b"middle"}),
            "its byte order is unknown",
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
