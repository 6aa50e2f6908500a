"""What the configuration of a layer is made of."""

import inspect

import keras


def constructor_arguments(layer: keras.layers.Layer) -> dict:
    """Name -> value of all arguments of a layer's own constructor.

    Each is kept as an attribute of its name. What goes to Keras through
    **kwargs is not among them.
    """
    names = inspect.signature(type(layer).__init__).parameters
    return {
        name: getattr(layer, name)
        for name in names
        if name not in ("self", "kwargs")
    }


class Configured:
    """Before a Keras base class: all arguments are in the configuration."""

    def get_config(self):
        return {**super().get_config(), **constructor_arguments(self)}
