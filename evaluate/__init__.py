"""What the embeddings are worth, and how they are served.

In reading order: `embeddings` (of shards), `recordings` (those of sound files);
`probing` (classifiers on them), `similarity` (their neighbours), `uncertainty`
(intervals and tests); `measures`, which are made of these; `serving`
(SavedModel, ONNX), `pages` (the report).
"""
