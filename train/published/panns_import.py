"""A checkpoint of PANNs' Cnn14 as our encoder and classifier."""

from collections.abc import Mapping

import numpy as np

from data.run.errors import UserError
from models.cnn14.panns_weights import load_panns_weights
from models.embedding_model import EmbeddingModel
from models.frontend.panns_log_mel import PANNsLogMel
from models.heads.linear_classifier import LinearClassifier
from train.published.panns_checkpoint import (
    CLASSIFIER_KERNEL,
    FIRST_KERNEL,
    MEL_MATRIX,
)

_PUBLISHED_CHANNELS = 64


def build(
    arrays: Mapping[str, np.ndarray],
    sample_rate_hz: int,
    window_seconds: float,
) -> tuple[EmbeddingModel, LinearClassifier]:
    """The encoder, whose h is PANNs' embedding of 2048, and the classifier.

    Args:
      arrays: see `panns_checkpoint.read_state_dict`.
      sample_rate_hz: of the checkpoint.
      window_seconds: length of a window; each starts half a window after the
        one before.

    Raises:
      UserError: the arrays are not those of a Cnn14, or its front end is
        another than ours.
    """
    frontend = PANNsLogMel(sample_rate_hz)
    _check_mel_matrix(arrays, frontend)
    channels = len(arrays[FIRST_KERNEL])
    if not 1 <= channels <= _PUBLISHED_CHANNELS:
        raise UserError(
            f"{FIRST_KERNEL} has {channels} channels: a Cnn14 has "
            f"{_PUBLISHED_CHANNELS}"
        )
    if np.ndim(arrays.get(CLASSIFIER_KERNEL)) != 2:
        raise UserError(
            f"the checkpoint has no matrix {CLASSIFIER_KERNEL}: it is of no "
            "Cnn14 of PANNs"
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
    num_classes = len(arrays[CLASSIFIER_KERNEL])
    classifier = LinearClassifier(model.embedding_dim, num_classes)
    try:
        load_panns_weights(model.encoder, arrays, classifier)
    except ValueError as error:
        raise UserError(f"the checkpoint is of no Cnn14: {error}") from error
    return model, classifier


def _check_mel_matrix(
    arrays: Mapping[str, np.ndarray], frontend: PANNsLogMel
) -> None:
    if MEL_MATRIX not in arrays:
        return
    theirs, ours = arrays[MEL_MATRIX], frontend.mel_matrix
    if np.shape(theirs) != ours.shape:
        raise UserError(
            f"{MEL_MATRIX} has shape {np.shape(theirs)}, the published Cnn14 "
            f"for {frontend.sample_rate_hz} Hz has {ours.shape}"
        )
    # Versions of librosa round differently, in the last bits of float32.
    difference = np.abs(theirs - ours).max()
    if not difference <= 1e-5 * ours.max():
        raise UserError(
            f"{MEL_MATRIX} differs by {difference:.1e} from that of the "
            f"published Cnn14 for {frontend.sample_rate_hz} Hz: the "
            "checkpoint was trained on another front end"
        )
