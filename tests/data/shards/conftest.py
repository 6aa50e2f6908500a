import pytest

from tests.data.shards.damaged_shards import CLIPS
from tests.train.small_shards import write_shards


@pytest.fixture
def info(tmp_path):
    """Eleven clips in three shards."""
    return write_shards(tmp_path / "shards", CLIPS, num_shards=3)
