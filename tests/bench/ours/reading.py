"""What training waits for: batches of views, from shards."""

from data.run import environment

environment.prepare()

import dataclasses  # noqa: E402
import pathlib  # noqa: E402
import tempfile  # noqa: E402

import numpy as np  # noqa: E402

from data.shards.record_index import RecordIndex  # noqa: E402
from tests.bench.work import Work  # noqa: E402
from tests.train import small_shards  # noqa: E402
from train.contrastive import view_pipeline  # noqa: E402

# So many are written, and stand in the index again and again.
_WRITTEN = 1000


def batches(records: int, pairs: int) -> Work:
    """The next batch of mixture views of clips of 2 s, in shuffled order."""
    lasting = tempfile.TemporaryDirectory()
    clips = small_shards.noise_clips(_WRITTEN, 2 * small_shards.RATE_HZ)
    info = small_shards.write_shards(pathlib.Path(lasting.name), clips)
    index = RecordIndex.of(info, ["train"])
    index = dataclasses.replace(
        index,
        **{
            name: np.resize(getattr(index, name), records)
            for name in ("shard_of", "offset_of", "size_of")
        },
    )
    spec = view_pipeline.ViewSpec(
        comparison="mix_vs_mix",
        processors=(),
        num_channels=0,
        view_samples=15600,
        max_offset_samples=small_shards.RATE_HZ,
        silence_db=-60.0,
        augment_draws=8,
    )
    following = iter(view_pipeline.batches(index, spec, pairs, seed=0))

    def turn():
        assert lasting  # Its shards are there as long as this.
        return next(following)

    return Work(turn, answer={})
