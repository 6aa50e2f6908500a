"""Checkpoints that others have published, read without their frameworks."""
