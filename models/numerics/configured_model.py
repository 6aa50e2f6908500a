"""A model whose configuration is that of its constructor's arguments."""

import keras


class ConfiguredModel(keras.Model):
    """Has all arguments in its configuration, as a Keras layer has.

    What `__init__` gets must be numbers, strings, booleans or None.
    """

    def __new__(cls, *args, **kwargs):
        # That of keras.Model forgets the arguments.
        return keras.layers.Layer.__new__(cls, *args, **kwargs)
