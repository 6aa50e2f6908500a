"""A folder of embedded recordings: a file each, tables, and an index."""

import pathlib
from collections.abc import Sequence

from data.ingest import header_scan
from data.jobs.decoding_jobs import DecodingJobs
from data.run import rejects
from data.run.atomic_write import write_json
from data.run.errors import UserError
from data.sources.recording_files import Recording
from evaluate.embeddings.encoders import Representation
from evaluate.recordings import recording_job, window_tables
from evaluate.recordings.window_store import INDEX_FILE

_SCAN_FOLDER = "headers"


def make(
    encoder: Representation,
    hop_samples: int,
    root: str,
    found: Sequence[Recording],
    folder: pathlib.Path,
    jobs: DecodingJobs,
    formats: Sequence[str],
    max_bad_fraction: float,
) -> tuple[int, int]:
    """Embeds recordings; writes tables, and last of all the index.

    Recordings that cannot be used are listed in rejects.csv.

    Args:
      encoder, hop_samples, root, folder, jobs: as of `recording_job.run`.
      found: files that may be recordings.
      formats: of the tables, see `window_tables`.
      max_bad_fraction: share of recordings that may be of no use.

    Returns:
      Recordings and windows.

    Raises:
      UserError: too many recordings, or all, cannot be used.
    """
    recordings, refused, others = header_scan.scan(
        root, found, 0.0, folder / _SCAN_FOLDER, jobs
    )
    accounts = recording_job.run(
        encoder, hop_samples, root, recordings, folder, INDEX_FILE, jobs
    )
    used = []
    for recording, account in zip(recordings, accounts, strict=True):
        if account["rejected"]:
            refused.append((recording.name, *account["rejected"]))
        else:
            used.append((recording, account))
    num_inputs = len(used) + len(refused)
    rejects.check_share(refused, num_inputs, max_bad_fraction, folder)
    rejects.write(folder, [*refused, *rejects.others_by_suffix(others)])
    if not used:
        raise UserError(
            f"no recording can be used, see {folder / rejects.REJECTS_FILE}"
        )
    files = [(recording.name, account["shard"]) for recording, account in used]
    window_tables.write(folder, files, encoder.model.embedding_dim, formats)
    write_json(
        folder / INDEX_FILE,
        {
            "encoder": encoder.encoder,
            "encoder_identity": encoder.identity,
            "embedding_dim": encoder.model.embedding_dim,
            "sample_rate_hz": encoder.model.sample_rate_hz,
            "window_samples": encoder.model.window_samples,
            "hop_samples": hop_samples,
            "recordings": [
                {
                    "name": name,
                    "windows": account["windows"],
                    "file": file,
                    "sha256": recording.digest,
                }
                for (recording, account), (name, file) in zip(
                    used, files, strict=True
                )
            ],
        },
    )
    return len(used), sum(account["windows"] for _, account in used)
