"""Recordings or synthetic scenes to shards.

`ingest_config` has the options, `ingest_job` is the whole job: a `header_scan`
of the recordings, an `ingest_plan` (by `clip_plan`: clips and splits), and the
`clip_shards`.
"""
