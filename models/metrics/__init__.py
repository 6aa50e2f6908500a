"""Measures of separation and of embeddings."""
