import pytest

from data.run.errors import UserError
from data.shards.dataset_info import DATASET_FILE, DatasetInfo
from tests.data.shards.damaged_shards import cut


def test_saved_and_loaded_is_equal(info):
    assert DatasetInfo.load(info.folder) == info
    info.check_whole()


def test_a_shard_of_another_size_is_no_obstacle_to_reading(info):
    file = info.folder / "train-1.tfrecord"
    cut(file, 300)
    loaded = DatasetInfo.load(info.folder)
    with pytest.raises(UserError, match="train-1.tfrecord has 300 bytes"):
        loaded.check_whole()
    file.unlink()
    loaded = DatasetInfo.load(info.folder)
    with pytest.raises(UserError, match="train-1.tfrecord is missing"):
        loaded.check_whole()


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"splits": {"a": [1]}}'])
def test_a_damaged_description_is_told(info, text):
    (info.folder / DATASET_FILE).write_text(text)
    with pytest.raises(UserError, match="dataset.json is damaged"):
        DatasetInfo.load(info.folder)


def test_a_missing_description_is_told(info):
    (info.folder / DATASET_FILE).unlink()
    with pytest.raises(UserError, match="its job has not finished"):
        DatasetInfo.load(info.folder)
