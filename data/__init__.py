"""How audio becomes batches: sources, shards, tf.data.

In reading order: `sources` and `audio` (which recordings there are, and their
sound), `synthetic` (scenes from random numbers), `shards` (the file format, and
how it is read), `ingest` (recordings to shards), `jobs` (what makes a job one
that can be killed and run again), `inspection` and `page` (what is in shards,
as an HTML page), `run` (flags, run directories, errors, whole files).
"""
