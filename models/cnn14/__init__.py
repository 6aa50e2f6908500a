"""The CNN14 encoder."""
