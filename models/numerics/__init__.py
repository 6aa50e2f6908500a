"""What losses, metrics and layers have in common."""
