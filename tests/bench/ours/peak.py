"""What the machine can do at most, by NumPy."""

import numpy as np

from tests.bench.work import Work


def matrix_product(size: int) -> Work:
    """Of two square matrices, in float32."""
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, size, size), dtype="f4")
    return Work(lambda: a @ b, answer={})


def copy(megabytes: int) -> Work:
    """Reads and writes as much."""
    source = np.ones(megabytes * 2**20 // 4, "f4")
    target = np.zeros_like(source)
    return Work(lambda: np.copyto(target, source), answer={})
