"""From an encoder, or a baseline beside it, and shards to embeddings.

`encoders` of `encoder_runs`, or `baselines`, turn clips into vectors.
`clip_embeddings` makes an `embedding_store` of a shard, `embedding_job` of all
of them, into an `embedding_cache` or an `embedding_folder`.
"""

from absl import logging

from data.run import environment

# Of a program that is not ours, and that no entry point has prepared.
for _sentence in environment.prepare():
    logging.warning("%s", _sentence)
