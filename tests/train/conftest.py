import pytest


@pytest.fixture
def shallow(monkeypatch):
    """Encoders of two blocks; more are of the same layers, and take longer."""
    # Here: the process that shares the tests out needs no TensorFlow.
    from models.cnn14 import cnn14

    monkeypatch.setattr(cnn14, "NUM_BLOCKS", 2)
