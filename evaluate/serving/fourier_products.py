"""Fourier transforms as matrix products, for programs that have none."""

import contextlib
from collections.abc import Iterator

import numpy as np
from keras import ops


@contextlib.contextmanager
def fourier_products() -> Iterator[None]:
    """What Keras traces meanwhile has products in place of `ops.rfft`.

    And of `ops.irfft`: ONNX has no transforms of real signals that its
    converter from TensorFlow knows. Not for several threads.
    """
    kept = ops.rfft, ops.irfft
    ops.rfft, ops.irfft = rfft, irfft
    try:
        yield
    finally:
        ops.rfft, ops.irfft = kept


def rfft(x, fft_length: int):
    """(..., n), n up to `fft_length` -> real and imaginary (..., bins)."""
    angles = _angles(fft_length)[: x.shape[-1]]
    real = ops.matmul(x, np.cos(angles).astype("f4"))
    return real, ops.matmul(x, -np.sin(angles).astype("f4"))


def irfft(x, fft_length: int):
    """Real and imaginary (..., bins) -> (..., fft_length), even."""
    real, imag = x
    angles = _angles(fft_length).T
    # All bins stand for two, but the first and the last.
    share = np.full((len(angles), 1), 2 / fft_length)
    share[[0, -1]] /= 2
    from_real = (share * np.cos(angles)).astype("f4")
    from_imag = (-share * np.sin(angles)).astype("f4")
    return ops.matmul(real, from_real) + ops.matmul(imag, from_imag)


def _angles(fft_length: int) -> np.ndarray:
    """(samples, bins); reduced, so that float64 has no large ones."""
    products = np.outer(np.arange(fft_length), np.arange(fft_length // 2 + 1))
    return 2 * np.pi * (products % fft_length) / fft_length
