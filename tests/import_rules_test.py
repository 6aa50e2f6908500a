"""The dependency direction, read from the syntax tree."""

import ast
import pathlib
import re
import sys

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
# "data/ingest.py" → its text.
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
}


def _imports(tree: ast.AST) -> set[str]:
    """Dotted names of the modules a file imports, lazily too."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # "." where it is relative.
            module = "." * node.level + (node.module or "")
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


IMPORTS = {name: _imports(ast.parse(text)) for name, text in SOURCES.items()}
PACKAGES = {
    name: {module.split(".")[0] for module in modules}
    for name, modules in IMPORTS.items()
}


def _offenders(found: dict[str, object]) -> dict[str, object]:
    """File → what it has against a rule, where it has anything."""
    return {name: what for name, what in found.items() if what}


def test_imports_are_absolute():
    relative = {
        name: {module for module in modules if module.startswith(".")}
        for name, modules in IMPORTS.items()
    }
    assert not _offenders(relative)


def test_folders_import_one_way():
    ours = {*FOLDERS, "tests"}
    against = {
        name: (packages & ours) - MAY_IMPORT[name.split("/")[0]]
        for name, packages in PACKAGES.items()
    }
    assert not _offenders(against)


def test_models_are_free_of_the_backend_files_and_flags():
    free = {"keras", "models", "numpy", "scipy", *sys.stdlib_module_names}
    free -= {"os", "pathlib", "io", "json"}
    against = {
        name: packages - free
        for name, packages in PACKAGES.items()
        if name.startswith("models/")
    }
    assert not _offenders(against)


def test_tensorflow_io_is_confined_to_one_module():
    users = {n for n, found in PACKAGES.items() if "tensorflow_io" in found}
    assert users <= {"data/flac_decoding.py"}


def test_only_entry_points_read_flags_and_touch_the_path():
    reads = re.compile(r"flag_fields\.(read|define)\(")
    for signs in (re.compile(r"sys\.path"), reads):
        having = {name for name, text in SOURCES.items() if signs.search(text)}
        assert having == set(ENTRY_POINTS)
    inside = {"data/flag_fields.py", "data/entry_point.py"}
    using = {n for n, t in SOURCES.items() if re.search(r"\bFLAGS\b", t)}
    assert using <= inside


def test_entry_points_are_thin():
    lines = {name: len(SOURCES[name].splitlines()) for name in ENTRY_POINTS}
    assert not {name: count for name, count in lines.items() if count >= 150}


def test_no_module_is_named_like_an_installed_one():
    # The folder of a script is on its import path.
    installed = sys.stdlib_module_names
    assert not {n for n in SOURCES if pathlib.PurePath(n).stem in installed}


def test_no_file_is_a_drawer():
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert not {n for n in SOURCES if pathlib.PurePath(n).stem in drawers}
