"""Which folder imports which: python -m tests.import_graph."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parents[1]
PACKAGES = ("data", "models", "train", "evaluate")
# "data/shards/record_index.py" → its text.
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def _imports(tree: ast.AST) -> set[str]:
    """Dotted names of what a file imports, lazily too."""
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


def folder_graph() -> dict[str, set[str]]:
    """Folder → the other folders that its files import.

    The entry points stand in `data`, `train` and `evaluate` themselves.
    """
    folders = {pathlib.PurePosixPath(name).parent for name in SOURCES}
    graph = {folder.as_posix(): set() for folder in sorted(folders)}
    for name, modules in IMPORTS.items():
        folder = pathlib.PurePosixPath(name).parent.as_posix()
        for module in modules:
            parts = module.split(".")
            for depth in range(len(parts), 0, -1):
                path = "/".join(parts[:depth])
                if f"{path}.py" in SOURCES:
                    graph[folder].add(path.rpartition("/")[0])
                    break
                if path in graph and depth < len(parts):
                    graph[folder].add(path)
                    break
        graph[folder].discard(folder)
    return graph


if __name__ == "__main__":
    for folder, imported in folder_graph().items():
        print(f"{folder} → {', '.join(sorted(imported)) or 'nothing'}")
