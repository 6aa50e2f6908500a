import io
import pathlib
import struct
import tarfile
import zipfile

import numpy as np
import pytest

from data.user_error import UserError
from tests import skips
from tests.train import torch_files
from tests.train.torch_files import name, number, numbers, storage, text
from train import torch_checkpoint
from train.inert_pickle import Opaque

GOLDEN = pathlib.Path(__file__).parents[1] / "golden"
FORMATS = ("zip", "legacy")

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
    "stack name of numbers": (number(1) + text("x") + b"\x93", "no text"),
    "dotted": (name("collections", "OrderedDict.fromkeys"), "fromkeys, which"),
    "name without end": (b"c" + b"a" * 300, "a name .* never ends"),
    "not utf-8": (b"X\x02\0\0\0\xff\xfe", "no UTF-8"),
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
    "call of a result": (
        name("_codecs", "encode") + b")R)R",
        "calls what is no function",
    ),
    "state of a list": (b"]" + b"}" + b"b", "adds to a list"),
    "state of a type": (
        ORDERED + b"}(" + text("__init__") + number(1) + b"ub",
        "adds to a Name",
    ),
    "state of a tensor": (_tensor() + b"}b", "adds to a ndarray"),
    "item of a list": (b"]" + number(0) + number(1) + b"s", "adds to a list"),
    "item of a tensor": (
        _tensor() + number(0) + number(1) + b"s",
        "adds to a ndarray",
    ),
    "append to a dict": (b"}" + number(0) + b"a", "adds to a dict"),
    "tensor as a key": (b"}" + _tensor() + b"Ns", "has a ndarray as a key"),
    "nested tuples as a key": (
        b"})" + b"\x85" * 30_000 + b"Ns",
        "has a tuple as a key",
    ),
    "key without value": (b"}(" + text("a") + b"u", "has no value"),
    "new object": (ORDERED + b")\x81", r"instruction b'.x81', which no"),
    "instance": (b"(iposix\nsystem\n", "instruction b'i', which no"),
    "extension": (b"\x82\x01", "instruction"),
    "protocol": (b"\x80\x06", "unknown protocol"),
    "no value": (b"R", "runs out of values"),
    "no mark": (b"t", "lacks a mark"),
    "no value left": (b"", "runs out of values"),
    "memo": (b"h\x05", "recalls what it never had"),
    "text of 4 GB": (b"X\xff\xff\xff\xff", "is truncated"),
    "negative text": (b"T\xff\xff\xff\xff", "is truncated"),
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
        "has 24 bytes, its tensors need 48",
    ),
    "storage of two types": (
        b"(" + FLOATS + storage("IntStorage", "0", 6) + b"t",
        "describes a storage in two ways",
    ),
    "storage that lacks": (
        _tensor(of=storage("FloatStorage", "1", 6)),
        "lacks 'archive/data/1'",
    ),
    "key out of the archive": (
        _tensor(of=storage("FloatStorage", "../../x", 6)),
        "lacks 'archive/data/../../x'",
    ),
    "storage of another name": (
        b"(" + text("storage") + ORDERED + text("0") * 2 + number(6) + b"tQ",
        "describes a storage wrongly",
    ),
    "identifier is a tensor": (b"(" + _tensor() + b"tQ", "refers to no stor"),
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
    "parameter of text": (
        name("torch._utils", "_rebuild_parameter")
        + b"("
        + text("x")
        + b"\x89)tR",
        "a parameter is no tensor",
    ),
    "size of text": (
        name("torch", "Size") + b"(" + text("ab") + b"tR",
        "is no tuple of sizes",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_no_checkpoint_needs_is_refused(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickled, told = HOSTILE[case]
    path = tmp_path / "x.pth"
    torch_files.write_zip(path, pickled, {"0": bytes(24)})
    with pytest.raises(UserError, match=f"x.pth .*{told}"):
        torch_checkpoint.read(path)
    assert [file.name for file in tmp_path.iterdir()] == ["x.pth"]


@pytest.mark.parametrize(
    "pickled, data, told",
    [
        (SYSTEM, {}, "names posix.system, which no checkpoint needs"),
        (
            _tensor(of=storage("FloatStorage", "0", 6, legacy=True)),
            {},
            "lists other storages than it uses",
        ),
        (
            _tensor(of=storage("FloatStorage", "0", 6, legacy=True)),
            {"0": bytes(20)},
            "has 20 bytes, its tensors need 24",
        ),
        (
            _tensor(of=storage("FloatStorage", "0", 6, legacy=True)),
            {"0": bytes(24), "1": bytes(24)},
            "lists other storages than it uses",
        ),
        (
            _tensor(of=storage("FloatStorage", "0", 2**40, legacy=True)),
            {"0": bytes(24)},
            "larger than the file",
        ),
        (FLOATS, {"0": bytes(24)}, "describes a storage wrongly"),
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
    for _ in range(250):
        content = bytearray(whole)
        content[random.integers(len(content))] ^= 1 << random.integers(8)
        try:
            found = _read_bytes(tmp_path, bytes(content))
        except UserError:
            told += 1
            continue
        if form == "zip":  # Which has checksums.
            _assert_tensors(found["tensors"], TENSORS)
    assert told > 30


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
        (SYSTEM + b".", r"is no file of torch.save \(it names posix.system"),
        (b"\x80\x02K\x01.", "is no file of torch.save$"),
        (torch_files.MAGIC + b"\x80\x02K\x01.", "another protocol .* 1001"),
        (torch_files.MAGIC[:-1], "is no file of torch.save"),
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
