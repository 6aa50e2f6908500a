"""Reads the stored values of this folder."""

import pathlib

import numpy as np


def load(name: str) -> dict[str, np.ndarray]:
    with np.load(pathlib.Path(__file__).parent / f"{name}.npz") as archive:
        return dict(archive)
