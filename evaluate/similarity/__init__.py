"""What is near what: by cosine similarity, without training.

`query_by_example` ranks pairs as in the slides, `full_ranking` all clips for
each query; `nearest_neighbors` finds the first of them.
"""
