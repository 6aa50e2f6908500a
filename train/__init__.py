"""How the networks learn: the TensorFlow tape and its loop.

In reading order: `separation` (MixIT), `contrastive` (views and objectives),
`loop` (what both trainers share), `published` (weights of others).
"""
