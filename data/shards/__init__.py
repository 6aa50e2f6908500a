"""The shard format, and how it is read.

`example_schema` is a record, an `example_message`, and `example_parser` reads
it in the graph; `dataset_info` is a folder of shards. `shard_writer` and
`shard_offsets` know the file; `record_index` and `record_reader` find and
read any record; `record_check` says what is wrong with one, `bad_records`
lists which. `shard_statistics` counts, `stored_clip` is a record to look at.
"""
