"""How the networks learn: the TensorFlow tape and its loop."""
