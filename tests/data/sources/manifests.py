"""Folders of recordings for the tests of sources, and what is found there."""


def touch(folder, *names):
    """Files with the names of recordings; makes folders as needed."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def found_of(manifest):
    """Path → labels and split."""
    return {r.path: (r.labels, r.split) for r in manifest.recordings}
