import numpy as np

from models.frontend.log_mel import LogMel, mel_matrix
from tests.agreement import largest_difference
from tests.golden.loading import load

SOURCE = "VGGish, float64"


def test_values_are_those_of_the_reference(agrees):
    golden = load("log_mel")
    ours = np.asarray(LogMel()(golden["waveform"]))
    # A float32 spectrum leaks that much of a loud band into a silent one.
    difference = largest_difference(ours, golden["log_mel"])
    agrees("log-mel", SOURCE, difference, 2e-3)
    root_mean_square = np.sqrt(np.mean((ours - golden["log_mel"]) ** 2))
    agrees("log-mel (root mean square)", SOURCE, root_mean_square, 1e-4)


def test_mel_matrix_is_that_of_the_reference(agrees):
    ours = mel_matrix(257, 16000, 64, 125.0, 7500.0)
    difference = largest_difference(ours, load("log_mel")["mel_matrix"])
    agrees("mel matrix", SOURCE, difference, 1e-7)
