"""A small encoder, imported as a published checkpoint of PANNs is."""

import pathlib

import numpy as np

from models.frontend.panns_log_mel import PANNsLogMel
from tests.evaluate.toy_runs import RATE_HZ
from tests.models.cnn14 import panns_recipe
from tests.train.published import torch_files
from train.import_panns import ImportConfig, import_panns


def write_toy_import(
    folder: pathlib.Path, window_seconds: float = 0.5
) -> pathlib.Path:
    """Run directory of train/import_panns.py; 128 dimensions, 5 classes."""
    arrays = panns_recipe.state_dict(first_channels=4, num_classes=5)
    # Of decibels.
    arrays["bn0.running_mean"] = np.full(64, -40, "f4")
    arrays["bn0.running_var"] = np.full(64, 400, "f4")
    arrays |= torch_files.front_end_arrays(PANNsLogMel(RATE_HZ).mel_matrix)
    folder.mkdir(parents=True)
    file = torch_files.save(folder / "small.pth", {"model": arrays})
    import_panns(ImportConfig(str(file), str(folder), window_seconds))
    return folder
