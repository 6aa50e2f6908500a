"""What losses, metrics and layers compute with alike."""
