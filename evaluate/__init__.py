"""What the embeddings are worth, and how they are served."""
