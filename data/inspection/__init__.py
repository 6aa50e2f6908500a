"""What is in shards: `scan` reads them (`shard_scan` each) and counts
(`split_statistics`), `split_tables`, `summary` and `page` show it.
"""
