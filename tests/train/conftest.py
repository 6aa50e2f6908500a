import pytest

from models.cnn14 import cnn14


@pytest.fixture
def shallow(monkeypatch):
    """Encoders of two blocks; more are of the same layers, and take longer."""
    monkeypatch.setattr(cnn14, "NUM_BLOCKS", 2)
