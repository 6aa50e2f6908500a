import json

import pytest

from data.run.atomic_write import write_json
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


@pytest.mark.parametrize(
    "place, value, told",
    [
        ((), [], r"it is \[\], not a table"),
        ((), {}, "it has no audio_format"),
        (("splits",), {"a": [1]}, r"splits.a\[0\] is 1, not a table"),
        (("sample_rate_hz",), 0, "sample_rate_hz is 0, not a sample rate"),
        (("audio_format",), "mp3", '"mp3", not pcm16 or flac'),
        (("num_channels",), 2, "num_channels is 2, with 0 processors"),
        (("processors",), ["N", "N"], "processor 'N' is there twice"),
        (("processors",), ["../N"], "not the plain name of a file"),
        (("class_names",), ["a", "a"], "class 'a' is there twice"),
        (
            ("splits", "train", 0, "clips"),
            1 << 62,
            "train-0.tfrecord cannot hold 4611686018427387904 clips",
        ),
        (("summary",), {"clips": 3}, "summary.clips is 3, not a table"),
        *(
            (("splits", "train", 0, "file"), name, told)
            for name, told in {
                "../x.tfrecord": "not the plain name of a file",
                "/tmp/x.tfrecord": "not the plain name of a file",
                ".x.tfrecord": "not the plain name of a file",
                "config.json": "not a .tfrecord",
                "train-1.tfrecord": "shard 'train-1.tfrecord' is there twice",
            }.items()
        ),
    ],
)
def test_a_description_of_another_shape_is_told(info, place, value, told):
    file = info.folder / DATASET_FILE
    at = top = {"": json.loads(file.read_text("utf-8"))}
    *way, last = ("", *place)
    for step in way:
        at = at[step]
    at[last] = value
    write_json(file, top[""])
    with pytest.raises(UserError, match=f"dataset.json: .*{told}.*: delete it"):
        DatasetInfo.load(info.folder)


def test_a_missing_description_is_told(info):
    (info.folder / DATASET_FILE).unlink()
    with pytest.raises(UserError, match="its job has not finished"):
        DatasetInfo.load(info.folder)
