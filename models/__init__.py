"""What the networks and objectives are: keras.layers and keras.ops."""
