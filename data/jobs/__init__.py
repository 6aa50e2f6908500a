"""Jobs that make one file a task, and when run again only what is missing.

`shard_jobs` is the loop. `reading_jobs` read shards, `decoding_jobs` what may
crash or hang, in a `decoder_pool` of `decoder_process`es; `beam_runner` makes
files on Apache Beam; `progress` tells how far a job is.
"""
