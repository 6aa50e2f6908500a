"""What is in shards: `scan` reads them and counts (`split_statistics`);
`split_tables`, `summary` and `page` show it.
"""
