"""A checkpoint of PANNs' Cnn14 as our encoder and classifier."""

from collections.abc import Mapping

import numpy as np

from data.run import csv_table
from data.run.errors import UserError
from data.sources import label_table
from models.cnn14.panns_weights import load_panns_weights
from models.embedding_model import EmbeddingModel
from models.frontend.panns_log_mel import PANNsLogMel
from models.heads.linear_classifier import LinearClassifier
from train.published import torch_checkpoint

_PUBLISHED_CHANNELS = 64
_FIRST_KERNEL = "conv_block1.conv1.weight"
_CLASSIFIER_KERNEL = "fc_audioset.weight"
_MEL_MATRIX = "logmel_extractor.melW"
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
        and np.ndim(found.get(_FIRST_KERNEL)) == 4
        and np.ndim(found.get(_CLASSIFIER_KERNEL)) == 2
    ):
        raise UserError(
            f"{path} has no {_FIRST_KERNEL} of four axes, or no "
            f"{_CLASSIFIER_KERNEL} of two: name a checkpoint of a Cnn14 of "
            "PANNs"
        )
    return found


def find_sample_rate_hz(
    arrays: Mapping[str, np.ndarray], given_hz: int | None
) -> int:
    """The rate that a Cnn14 takes, from the size of its mel matrix.

    Args:
      arrays: see `read_state_dict`.

    Raises:
      UserError: it is neither in the arrays nor given, or both differ.
    """
    published = ", ".join(f"{r} Hz ({n} bins)" for n, r in _RATES_HZ.items())
    if _MEL_MATRIX not in arrays:
        if given_hz in _RATES_HZ.values():
            return given_hz
        raise UserError(
            "the checkpoint has no front end that tells its rate, and "
            f"--sample_rate_hz is {given_hz}: name one of {published}"
        )
    bins = len(np.atleast_1d(arrays[_MEL_MATRIX]))
    if bins not in _RATES_HZ:
        raise UserError(
            f"the checkpoint's spectrogram has {bins} bins, which is of no "
            f"published Cnn14: they are for {published}"
        )
    rate_hz = _RATES_HZ[bins]
    if given_hz not in (None, rate_hz):
        raise UserError(
            f"the checkpoint is for {rate_hz} Hz, not for "
            f"--sample_rate_hz={given_hz}: leave that flag out"
        )
    return rate_hz


def build(
    arrays: Mapping[str, np.ndarray],
    sample_rate_hz: int,
    window_seconds: float,
) -> tuple[EmbeddingModel, LinearClassifier]:
    """The encoder, whose h is PANNs' embedding of 2048, and the classifier.

    Args:
      arrays: see `read_state_dict`.
      sample_rate_hz: of the checkpoint.
      window_seconds: length of a window; each starts half a window after the
        one before.

    Raises:
      UserError: the arrays are not those of a Cnn14, or its front end is
        another than ours.
    """
    frontend = PANNsLogMel(sample_rate_hz)
    ours = frontend.mel_matrix
    theirs = arrays.get(_MEL_MATRIX, ours)
    # Versions of librosa round differently, in the last bits of float32.
    if np.shape(theirs) != ours.shape or not np.allclose(
        theirs, ours, rtol=0, atol=1e-5 * ours.max()
    ):
        raise UserError(
            f"{_MEL_MATRIX}, of shape {np.shape(theirs)}, differs from that of "
            f"the published Cnn14 for {sample_rate_hz} Hz, of {ours.shape}: "
            "the checkpoint was trained on another front end"
        )
    channels = len(arrays[_FIRST_KERNEL])
    # Of more, a small file could make a network of any size.
    if not 1 <= channels <= _PUBLISHED_CHANNELS:
        raise UserError(
            f"{_FIRST_KERNEL} has {channels} channels: a Cnn14 has "
            f"{_PUBLISHED_CHANNELS}"
        )
    hops = round(window_seconds * sample_rate_hz / frontend.hop_samples)
    model = EmbeddingModel(
        sample_rate_hz,
        embedding_dim=None,
        width=channels / _PUBLISHED_CHANNELS,
        hidden_layer=True,
        window_frames=1 + hops,
        window_hop_frames=hops // 2,
        frontend="panns",
    )
    num_classes = len(arrays[_CLASSIFIER_KERNEL])
    classifier = LinearClassifier(model.embedding_dim, num_classes)
    try:
        load_panns_weights(model.encoder, arrays, classifier)
    except ValueError as error:
        raise UserError(f"the checkpoint is of no Cnn14: {error}") from error
    return model, classifier


def read_class_names(path: str, num_classes: int) -> tuple[str, ...]:
    """Names by index, from AudioSet's class_labels_indices.csv.

    Raises:
      UserError: the table cannot be read, or has another number of classes.
    """
    table = csv_table.read(path, "--class_labels")
    for column in ("index", "display_name"):
        table.require(column, "name AudioSet's class_labels_indices.csv")
    names = label_table.names_by_number(
        table.rows("index", "display_name"), table.name
    )
    if len(names) != num_classes:
        raise UserError(
            f"{table.name} has {len(names)} classes, the checkpoint "
            f"{num_classes}: are they of one release?"
        )
    return names
