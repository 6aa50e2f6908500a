"""How audio becomes batches: sources, shards, tf.data."""
