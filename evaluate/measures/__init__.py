"""How good embeddings are.

`comparison` measures encoders and baselines by a `probe_classifier` or by
`query_by_example`, and writes `results`; `clip_search` finds a recording's
`nearest_neighbors`.
"""
