"""The shard format, and how it is read.

`example_schema` is a record, `dataset_info` a folder of shards. `shard_writer`,
`record_header` and `shard_offsets` know the file; `record_index` and
`record_reader` find and read any record; `record_check` says what is wrong with
one, and `bad_record` and `bad_records` find out which and list them.
`shard_statistics` counts, `stored_clip` is a record to look at.
"""
