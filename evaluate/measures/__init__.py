"""How good embeddings are.

`probe_comparison` and `retrieval_comparison` measure encoders, and baselines
beside them, and write `results`; `paired_runs` sets two of them against each
other. `clip_search` finds what sounds like a recording.
"""
