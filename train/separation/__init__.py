"""Separator training with MixIT, and what separates shards.

`mixture_pipeline` feeds the `learner`, `separator_training` runs it, `quality`
measures the processors that it kept, `channel_writer` separates shards by them,
both as `traced_separators`.
"""
