"""Heads on the embedding: similarity, coincidence, classifier."""
