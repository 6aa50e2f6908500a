"""Folders of recordings for the tests of sources, and what is found there."""

from data.ingest import ingest_job
from data.ingest.ingest_config import IngestConfig


def touch(folder, *names):
    """Files with the names of recordings; makes folders as needed."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")


def found_of(manifest):
    """Path → labels and split."""
    return {r.path: (r.labels, r.split) for r in manifest.recordings}


def ingest(tmp_path, source, **options):
    """The shards in `tmp_path`/out, of what is in `tmp_path`/in."""
    return ingest_job.run(
        IngestConfig(
            source=source,
            input=str(tmp_path / "in"),
            output=str(tmp_path / "out"),
            workers=1,
            **options,
        )
    )
