import numpy as np
import tensorflow as tf

from data.shards import example_schema
from data.shards.shard_writer import ShardWriter


def test_a_shard_has_the_bytes_of_tensorflow(tmp_path):
    rng = np.random.default_rng(0)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    records = [
        example_schema.serialize("a", "a", 0.0, (), rng.bytes(size), size)
        for size in [0, 1, 2, 3, 100_000, *rng.integers(5_000, size=60)]
    ]
    with ShardWriter(ours) as writer:
        for record in records:
            writer.write(record)
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for record in records:
            writer.write(record)
    assert ours.read_bytes() == theirs.read_bytes()
    read = tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()
    assert [*read] == records


def test_a_shard_without_records_is_empty(tmp_path):
    with ShardWriter(tmp_path / "a"):
        pass
    assert (tmp_path / "a").read_bytes() == b""
