"""What `dataset.json` says of a shard that a test wrote."""

import pathlib

from data.run import content
from data.shards.dataset_info import Shard
from data.shards.shard_writer import ShardWriter


def shard_of(
    path: pathlib.Path, clips: int, seconds: float, writer: ShardWriter
) -> Shard:
    return Shard(
        path.name,
        clips,
        seconds,
        path.stat().st_size,
        content.file_sha256(path),
        writer.as_json()["sound_sha256"],
    )
