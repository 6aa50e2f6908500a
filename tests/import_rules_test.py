"""The dependency direction, read from the syntax tree."""

import ast
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FOLDERS = ("data", "models", "train", "evaluate")
ENTRY_POINTS = (
    "data/write_shards.py",
    "data/inspect_shards.py",
    "train/train_separation.py",
    "train/import_separator.py",
    "train/import_panns.py",
    "train/separate_shards.py",
    "train/pretrain_contrastive.py",
    "evaluate/embed.py",
    "evaluate/probe.py",
    "evaluate/retrieval.py",
    "evaluate/search.py",
    "evaluate/export_saved_model.py",
    "evaluate/report.py",
)
MAY_IMPORT = {
    "data": {"data"},
    "models": {"models"},
    "train": {"data", "models", "train"},
    "evaluate": {"data", "models", "evaluate"},
}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
)


def _imports(tree: ast.AST) -> set[str]:
    """Dotted names of the modules a file imports, lazily too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.fixture(scope="module", params=FILES)
def source(request):
    text = (ROOT / request.param).read_text()
    return request.param, text, ast.parse(text)


def test_folders_import_one_way(source):
    name, _, tree = source
    ours = {module.split(".")[0] for module in _imports(tree)} & {
        *FOLDERS,
        "tests",
    }
    assert ours <= MAY_IMPORT[name.split("/")[0]]


def test_models_are_free_of_the_backend_files_and_flags(source):
    name, text, tree = source
    if name.startswith("models/"):
        packages = {module.split(".")[0] for module in _imports(tree)}
        assert packages - set(sys.stdlib_module_names) <= {
            "keras",
            "models",
            "numpy",
            "scipy",
        }
        assert not packages & {"os", "pathlib", "io", "json"}


def test_tensorflow_io_is_confined_to_one_module(source):
    name, _, tree = source
    if "tensorflow_io" in _imports(tree):
        assert name == "data/flac_decoding.py"


def test_only_entry_points_read_flags_and_touch_the_path(source):
    name, text, _ = source
    allowed = name in ENTRY_POINTS
    assert ("sys.path" in text) == allowed
    reads = "flag_fields.read(" in text or "flag_fields.define(" in text
    assert reads == allowed
    if name not in ("data/flag_fields.py", "data/entry_point.py"):
        assert not re.search(r"\bFLAGS\b", text)


def test_entry_points_are_thin():
    for name in ENTRY_POINTS:
        assert len((ROOT / name).read_text().splitlines()) < 150, name


def test_no_module_is_named_like_an_installed_one():
    # The folder of a script is on its import path.
    for name in FILES:
        stem = pathlib.PurePath(name).stem
        assert stem not in sys.stdlib_module_names, name


def test_no_file_is_a_drawer():
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert not drawers & {pathlib.PurePath(name).stem for name in FILES}
