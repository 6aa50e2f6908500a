"""What a checkpoint of PANNs' Cnn14 holds, read without TensorFlow."""

from collections.abc import Mapping

import numpy as np

from data.run import csv_table
from data.run.errors import UserError
from data.sources import label_table
from train.published import torch_checkpoint

FIRST_KERNEL = "conv_block1.conv1.weight"
CLASSIFIER_KERNEL = "fc_audioset.weight"
MEL_MATRIX = "logmel_extractor.melW"
_FOURIER = (
    "spectrogram_extractor.stft.conv_real.weight",
    "spectrogram_extractor.stft.conv_imag.weight",
)
# Frequencies of the spectrogram -> rate of the published variant.
_RATES_HZ = {513: 32000, 257: 16000, 129: 8000}


def read_state_dict(path: str) -> dict[str, np.ndarray]:
    """Name -> array of a Cnn14, alone in the file or under "model".

    Raises:
      UserError: the file cannot be read, or holds something else.
    """
    found = torch_checkpoint.read(path)
    if isinstance(found, dict) and isinstance(found.get("model"), dict):
        found = found["model"]
    if not (
        isinstance(found, dict)
        and all(isinstance(name, str) for name in found)
        and isinstance(found.get(FIRST_KERNEL), np.ndarray)
        and found[FIRST_KERNEL].ndim == 4
    ):
        raise UserError(
            f"{path} has no {FIRST_KERNEL} of four axes: name a checkpoint "
            "of a Cnn14 of PANNs"
        )
    return found


def find_sample_rate_hz(
    arrays: Mapping[str, np.ndarray], given_hz: int | None
) -> int:
    """The rate that a Cnn14 takes, from the size of its spectrogram.

    Args:
      arrays: see `read_state_dict`.
      given_hz: what the user says, or None.

    Raises:
      UserError: it is neither in the arrays nor given, or both differ.
    """
    bins = {
        np.shape(arrays[name])[:1]
        for name in (MEL_MATRIX, *_FOURIER)
        if name in arrays
    }
    published = ", ".join(f"{r} Hz ({n} bins)" for n, r in _RATES_HZ.items())
    if not bins:
        if given_hz not in _RATES_HZ.values():
            raise UserError(
                "the checkpoint has no front end that tells its rate, and "
                f"--sample_rate_hz is {given_hz}: name one of {published}"
            )
        return given_hz
    rates_hz = [r for n, r in _RATES_HZ.items() if bins == {(n,)}]
    if not rates_hz:
        raise UserError(
            "the checkpoint's spectrogram is of no published Cnn14, which "
            f"are for {published}"
        )
    [rate_hz] = rates_hz
    if given_hz not in (None, rate_hz):
        raise UserError(
            f"the checkpoint is for {rate_hz} Hz, not for "
            f"--sample_rate_hz={given_hz}: leave that flag out"
        )
    return rate_hz


def read_class_names(path: str, num_classes: int) -> tuple[str, ...]:
    """Names by index, from AudioSet's class_labels_indices.csv.

    Raises:
      UserError: the table cannot be read, or has another number of classes.
    """
    table = csv_table.read(path, "--class_labels")
    for column in ("index", "display_name"):
        table.require(column, "name AudioSet's class_labels_indices.csv")
    names = label_table.by_number(
        table.rows("index", "display_name"), table.name
    )
    if len(names) != num_classes:
        raise UserError(
            f"{table.name} has {len(names)} classes, the checkpoint "
            f"{num_classes}: are they of one release?"
        )
    return names
