"""The CNN14 encoder: `cnn14`, of its `convolution` and `batch_norm`, and
`folded`, as it is served, with `winograd`.
"""
