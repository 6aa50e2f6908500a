"""Heads on the embedding: similarity, coincidence, shallow classifier."""
