"""The separation network: waveform in, separated channels out."""

import keras
from keras import ops

from models.numerics.configured_model import ConfiguredModel
from models.separation.learned_basis import LearnedBasis
from models.separation.mixture_consistency import mixture_consistency
from models.separation.stft_basis import STFTBasis
from models.separation.tdcn import TDCN

BASES = ("learned", "stft")
CONSISTENCIES = ("predicted", "none", "uniform", "magsq")

# Window and hop in seconds where the caller names none.
_DEFAULT_WINDOW_S = {"learned": 0.0025, "stft": 0.032}
_DEFAULT_HOP_S = {"learned": 0.00125, "stft": 0.008}


@keras.saving.register_keras_serializable(package="separated_scenes")
class Separator(ConfiguredModel):
    """TDCN++ with sigmoid masks and mixture consistency.

    Input: waveform (batch, samples), any linear unit, any length from one
    sample on. Output: float32 channels (batch, num_sources, samples) which,
    unless `consistency` is "none", add up to the input.

    The network of google-research/sound-separation (TDCN++, Kavalerov et
    al., WASPAA 2019; as trained with MixIT by Wisdom et al., NeurIPS 2020).
    Two channels are the choice of Fonseca et al. (WASPAA 2021) for views;
    the reference trains with eight.

    Under a mixed precision policy only the TDCN and the mask layer compute
    in reduced precision: transforms, masking and consistency stay float32.

    Args:
        num_sources: Channels M.
        sample_rate_hz: Rate of the waveforms; turns seconds into samples.
        basis: "learned" or "stft".
        window_s: Analysis window in seconds; None for 0.0025 (learned) or
            0.032 (STFT).
        hop_s: Distance between frames in seconds; None for 0.00125 (learned)
            or 0.008 (STFT).
        num_coefficients: Size of the learned basis. The STFT has its number
            of bins instead.
        bottleneck: Channels of the residual stream.
        conv_channels: Channels inside a block.
        num_dilations: Blocks in a repeat, with dilations 1, 2, 4, ...
        num_repeats: Times that the dilations run through.
        kernel_size: Taps of each convolution, odd.
        consistency: "predicted", with weights from the network; or a kind of
            `mixture_consistency`.

    Raises:
        ValueError: For an argument out of its range or an unknown name.
    """

    def __init__(
        self,
        num_sources: int = 2,
        sample_rate_hz: int = 16000,
        basis: str = "learned",
        window_s: float | None = None,
        hop_s: float | None = None,
        num_coefficients: int = 256,
        bottleneck: int = 256,
        conv_channels: int = 512,
        num_dilations: int = 8,
        num_repeats: int = 4,
        kernel_size: int = 3,
        consistency: str = "predicted",
        **kwargs,
    ):
        # Without autocast=False a reduced precision policy would round the
        # waveform before anything is computed.
        super().__init__(autocast=False, **kwargs)
        for name, value, choices in (
            ("basis", basis, BASES),
            ("consistency", consistency, CONSISTENCIES),
        ):
            if value not in choices:
                raise ValueError(
                    f"{name} must be one of {choices}. Received: "
                    f"{name}={value!r}"
                )
        self.num_sources = num_sources
        self.sample_rate_hz = sample_rate_hz
        self.basis = basis
        self.window_s = window_s
        self.hop_s = hop_s
        self.num_coefficients = num_coefficients
        self.bottleneck = bottleneck
        self.consistency = consistency
        for name, value in self.get_config().items():
            # All that are whole numbers count something.
            if type(value) is int and value < 1:
                raise ValueError(
                    f"{name} must be at least 1. Received: {name}={value}"
                )

        self.signal_dtype = (
            "float64" if self.compute_dtype == "float64" else "float32"
        )
        self.transform = self._make_transform()
        self.tdcn = TDCN(
            bottleneck=bottleneck,
            conv_channels=conv_channels,
            num_dilations=num_dilations,
            num_repeats=num_repeats,
            kernel_size=kernel_size,
            dtype=self.dtype_policy,
            name="tdcn",
        )
        self.mask_head = keras.layers.Dense(
            num_sources * self.transform.num_coefficients,
            use_bias=False,
            dtype=self.dtype_policy,
            name="mask_head",
        )
        self.weight_head = None
        if consistency == "predicted":
            self.weight_head = keras.layers.Dense(
                num_sources,
                activation="softmax",
                use_bias=False,
                dtype=self.signal_dtype,
                name="weight_head",
            )
        # No weight depends on the input's shape, so all are made at once and
        # weights can be loaded before the first call.
        self.build((None, None))

    def _make_transform(self):
        window_s, hop_s = self.window_s, self.hop_s
        if window_s is None:
            window_s = _DEFAULT_WINDOW_S[self.basis]
        if hop_s is None:
            hop_s = _DEFAULT_HOP_S[self.basis]
        window_samples = round(window_s * self.sample_rate_hz)
        hop_samples = round(hop_s * self.sample_rate_hz)
        if not 1 <= hop_samples <= window_samples:
            raise ValueError(
                "hop_s must be at least one sample and at most window_s. "
                f"Received: hop_s={hop_s}, window_s={window_s} at "
                f"sample_rate_hz={self.sample_rate_hz}"
            )
        sizes = window_samples, hop_samples
        options = {"dtype": self.signal_dtype, "name": f"{self.basis}_basis"}
        if self.basis == "stft":
            return STFTBasis(*sizes, **options)
        return LearnedBasis(*sizes, self.num_coefficients, **options)

    def build(self, input_shape):
        self.transform.build(input_shape)
        self.tdcn.build((None, None, self.transform.num_coefficients))
        self.mask_head.build((None, None, self.bottleneck))
        if self.weight_head is not None:
            self.weight_head.build((None, self.bottleneck))
        self.built = True

    def estimate_masks(self, features):
        """Runs the network on the features of the basis.

        Args:
            features: (batch, frames, coefficients).

        Returns:
            The masks (batch, num_sources, frames, coefficients) between 0
            and 1, and the consistency weights (batch, num_sources), which
            sum to one; None for weights that are not predicted.
        """
        core = self.tdcn(features)  # (batch, frames, bottleneck)
        logits = self.mask_head(core)
        shape = self.num_sources, self.transform.num_coefficients
        logits = ops.reshape(
            ops.cast(logits, self.signal_dtype), (*ops.shape(core)[:2], *shape)
        )  # (batch, frames, num_sources, coefficients)
        masks = ops.sigmoid(ops.transpose(logits, (0, 2, 1, 3)))
        if self.weight_head is None:
            return masks, None
        summary = ops.mean(ops.cast(core, self.signal_dtype), axis=1)
        return masks, self.weight_head(summary)

    def call(self, waveform):
        if len(waveform.shape) != 2:
            raise ValueError(
                "The waveform must have shape (batch, samples); add or drop "
                f"an axis. Received: shape={tuple(waveform.shape)}"
            )
        waveform = ops.cast(waveform, self.signal_dtype)
        coefficients, features = self.transform.analyse(waveform)
        masks, weights = self.estimate_masks(features)
        estimates = self.transform.synthesise(
            masks, coefficients, ops.shape(waveform)[1]
        )  # (batch, num_sources, samples)
        if weights is not None:
            weights = ops.expand_dims(weights, -1)  # (batch, num_sources, 1)
        return mixture_consistency(
            waveform, estimates, self.consistency, weights
        )
