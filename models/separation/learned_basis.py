"""A learned analysis basis and its learned synthesis."""

import keras
from keras import ops

from models.separation import framing


@keras.saving.register_keras_serializable(package="separated_scenes")
class LearnedBasis(keras.layers.Layer):
    """Frames times a learned matrix, rectified; and the way back.

    Conv-TasNet's free encoder and decoder as TDCN++ uses them (Kavalerov et
    al., "Universal Sound Separation", WASPAA 2019): no bias, no synthesis
    window, and the decoder is not tied to the encoder. The rectified
    coefficients are what the mask multiplies and, as they are, what the
    network sees.

    There are just enough frames to cover a signal, zeros after its end.

    Args:
        window_samples: Frame length.
        hop_samples: Distance between frames, from 1 to the frame length.
        num_coefficients: Size of the basis.
    """

    def __init__(
        self,
        window_samples: int,
        hop_samples: int,
        num_coefficients: int = 256,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.window_samples = window_samples
        self.hop_samples = hop_samples
        self.num_coefficients = num_coefficients
        self.encoder = keras.layers.Dense(
            num_coefficients,
            activation="relu",
            use_bias=False,
            dtype=self.dtype_policy,
            name="encoder",
        )
        self.decoder = keras.layers.Dense(
            window_samples,
            use_bias=False,
            dtype=self.dtype_policy,
            name="decoder",
        )

    def build(self, input_shape):
        self.encoder.build((None, None, self.window_samples))
        self.decoder.build((None, None, None, self.num_coefficients))
        self.built = True

    def analyse(self, waveform):
        """Maps (batch, samples) to (coefficients, network features).

        Both are the same (batch, frames, num_coefficients) here.
        """
        num_frames = framing.covering_frames(
            ops.shape(waveform)[1], self.window_samples, self.hop_samples
        )
        frames = framing.frame(
            waveform, self.window_samples, self.hop_samples, num_frames
        )
        coefficients = self.encoder(frames)
        return coefficients, coefficients

    def synthesise(self, masks, coefficients, num_samples):
        """Masks the coefficients and returns to the time domain.

        Args:
            masks: (batch, channels, frames, num_coefficients).
            coefficients: First result of `analyse`.
            num_samples: Length of the analysed waveform.

        Returns:
            (batch, channels, num_samples).
        """
        masked = masks * ops.expand_dims(coefficients, 1)
        # (batch, channels, frames, num_coefficients)
        frames = self.decoder(masked)
        return framing.overlap_add(frames, self.hop_samples, num_samples)
