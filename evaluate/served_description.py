"""assets.extra/model.json of a SavedModel: where its models come from."""

import json
import pathlib

from data import run_directory
from data.atomic_write import write_json
from evaluate.served_runs import ENCODER, SEPARATOR

_FILE = pathlib.Path("assets.extra", "model.json")


def write(
    models,
    files: dict[str, pathlib.Path],
    digests: dict[str, str],
    folder: pathlib.Path,
) -> None:
    """Writes the description.

    Args:
      models: `served_models.ServedModels`.
      files: what they were loaded from, see `served_runs.find`.
      digests: of these files, see `served_runs.digests`.
      folder: the SavedModel.
    """
    value = {"sample_rate_hz": models.sample_rate_hz}
    if encoder := models.encoder:
        run = files[ENCODER].parent
        record = run_directory.read(run)
        value |= {
            "embedding_dim": encoder.embedding_dim,
            "window_samples": encoder.window_samples,
            "window_hop_samples": encoder.window_hop_samples,
            "model": encoder.get_config(),
            "encoder": str(run),
            "pretraining": record["config"],
            "versions": record["versions"],
        }
    if models.classifier:
        value["num_classes"] = models.num_classes
    if separator := models.separator:
        file = files[SEPARATOR]
        record = run_directory.read(file.parents[1])
        value["separation"] = {
            "separator": str(file.parents[1]),
            "processor": file.stem,
            "num_sources": separator.num_sources,
            "window_samples": separator.transform.window_samples,
            "hop_samples": separator.transform.hop_samples,
            "model": separator.get_config(),
            "stage": record["stage"],
            "config": record["config"],
            "versions": record["versions"],
        }
    write_json(folder / _FILE, {**value, **digests})


def digests_of(folder: pathlib.Path) -> dict[str, str] | None:
    """The digests in a description; None where there is none."""
    try:
        value = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        return {k: v for k, v in value.items() if k.endswith("_sha256")}
    except (OSError, ValueError, AttributeError):
        return None
