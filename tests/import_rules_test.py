"""The dependency direction, read from the syntax tree."""

import collections
import graphlib
import pathlib
import re
import sys

from tests.import_graph import IMPORTS, PACKAGES, SOURCES, folder_graph

ENTRY_POINTS = (
    "data/write_shards.py",
    "data/inspect_shards.py",
    "train/train_separation.py",
    "train/import_separator.py",
    "train/import_panns.py",
    "train/separate_shards.py",
    "train/pretrain_contrastive.py",
    "train/step_time.py",
    "evaluate/embed.py",
    "evaluate/probe.py",
    "evaluate/retrieval.py",
    "evaluate/search.py",
    "evaluate/export_saved_model.py",
    "evaluate/export_onnx.py",
    "evaluate/report.py",
)
MAY_IMPORT = {
    "data": {"data"},
    "models": {"models"},
    "train": {"data", "models", "train"},
    "evaluate": {"data", "models", "evaluate"},
}
IMPORTED_PACKAGES = {
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
    ours = {*PACKAGES, "tests"}
    against = {
        name: (packages & ours) - MAY_IMPORT[name.split("/")[0]]
        for name, packages in IMPORTED_PACKAGES.items()
    }
    assert not _offenders(against)


def test_models_are_free_of_the_backend_files_and_flags():
    free = {"keras", "models", "numpy", "scipy", *sys.stdlib_module_names}
    free -= {"os", "pathlib", "io", "json"}
    against = {
        name: packages - free
        for name, packages in IMPORTED_PACKAGES.items()
        if name.startswith("models/")
    }
    assert not _offenders(against)


def test_tensorflow_io_is_not_needed():
    assert "tensorflow_io" not in set().union(*IMPORTED_PACKAGES.values())


def test_only_entry_points_read_flags_and_touch_the_path():
    reads = re.compile(r"flag_fields\.(read|define)\(")
    for signs in (re.compile(r"sys\.path"), reads):
        having = {name for name, text in SOURCES.items() if signs.search(text)}
        assert having == set(ENTRY_POINTS)
    inside = {"data/run/flag_fields.py", "data/run/entry_point.py"}
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


def test_folders_import_in_no_circle():
    graph = folder_graph()
    assert graph["data/ingest"] >= {"data/jobs", "data/shards"}
    # Raises `CycleError`, which names one.
    graphlib.TopologicalSorter(graph).prepare()


def test_folders_are_small():
    files = collections.Counter(
        pathlib.PurePath(name).parent
        for name in SOURCES
        if not name.endswith("__init__.py")
    )
    assert max(files.values()) <= 14
