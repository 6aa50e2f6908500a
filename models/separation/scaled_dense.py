"""A dense layer whose output has one trainable gain."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="separated_scenes")
class ScaledDense(keras.layers.Layer):
    """scale * (inputs @ kernel + bias), with a trainable scalar scale.

    The gains let deep stacks start close to the identity (Kavalerov et al.,
    WASPAA 2019, section 3.2). The scale multiplies product and bias alike.

    Args:
        units: Size of the last output axis.
        use_bias: Whether there is a bias.
        initial_scale: Value of the scale before training.
    """

    def __init__(
        self,
        units: int,
        use_bias: bool = False,
        initial_scale: float = 1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        self.use_bias = use_bias
        self.initial_scale = initial_scale

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.units),
            initializer="glorot_uniform",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer="zeros"
            )
        self.scale = self.add_weight(
            name="scale",
            shape=(),
            initializer=keras.initializers.Constant(self.initial_scale),
        )
        self.built = True

    def call(self, inputs):
        # Scaling the kernel costs far less than scaling the activations.
        outputs = ops.matmul(inputs, self.kernel * self.scale)
        if self.bias is not None:
            outputs = outputs + self.bias * self.scale
        return outputs

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "use_bias": self.use_bias,
            "initial_scale": self.initial_scale,
        }
