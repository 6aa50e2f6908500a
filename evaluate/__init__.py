"""What the embeddings are worth, and how they are served.

In reading order: `embeddings`, `measures` (probe, retrieval, search), `serving`
(SavedModel), `pages` (the report).
"""
