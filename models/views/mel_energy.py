"""Energies in mel bands, from the output of a front end and back."""

import math

from keras import ops

from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel

_LOG_PER_DB = math.log(10) / 10
# What the front end of PANNs takes for silence.
_PANNS_FLOOR = 1e-10


def to_energy(log_mel, frontend: LogMel | PANNsLogMel):
    """Energies >= 0 of a front end's values, same shape."""
    if isinstance(frontend, PANNsLogMel):
        return ops.exp(_LOG_PER_DB * log_mel)
    return ops.square(ops.relu(ops.exp(log_mel) - frontend.offset))


def to_log_mel(energy, frontend: LogMel | PANNsLogMel):
    """The front end's values of energies >= 0, same shape."""
    if isinstance(frontend, PANNsLogMel):
        return ops.log(ops.maximum(energy, _PANNS_FLOOR)) / _LOG_PER_DB
    return ops.log(ops.sqrt(energy) + frontend.offset)
