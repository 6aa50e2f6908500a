"""Front end and encoder as one object: what is saved, evaluated and served."""

import keras
from keras import ops

from models.cnn14.cnn14 import CNN14
from models.frontend.log_mel import LogMel
from models.frontend.panns_log_mel import PANNsLogMel
from models.numerics.configured_model import ConfiguredModel
from models.separation import framing

FRONTENDS = {"google": LogMel, "panns": PANNsLogMel}


@keras.saving.register_keras_serializable(package="separated_scenes")
class EmbeddingModel(ConfiguredModel):
    """Waveform to embedding.

    A clip is cut into windows of `window_frames` log-mel frames (0.96 s) that
    start every `window_hop_frames` (0.48 s), the last one where it ends with
    the clip, so that every sample is in one. Each is encoded, and the clip's
    embedding is the mean over its windows. A clip shorter than a window is
    repeated until it fills one. All this is our choice.

    Call: waveform (B, T) -> (B, embedding_dim) float32, any T. What
    `valid_waveform.is_valid` refuses may give NaN.

    Args:
      sample_rate_hz: of the waveform.
      embedding_dim, width, hidden_layer, dropout, hidden_dropout: of `CNN14`.
      window_frames: frames of a window (96 at 10 ms).
      window_hop_frames: frames between windows.
      frontend: log-mel of the AudioSet work ("google") or of PANNs ("panns").

    Attributes:
      embedding_dim: size of h, with a bottleneck or without.

    Raises:
      ValueError: the front end is unknown, or a size is out of range.
    """

    def __init__(
        self,
        sample_rate_hz: int = 16000,
        embedding_dim: int | None = 128,
        width: float = 1.0,
        hidden_layer: bool = False,
        dropout: float = 0.2,
        window_frames: int = 96,
        window_hop_frames: int = 48,
        frontend: str = "google",
        hidden_dropout: float = 0.5,
        **kwargs,
    ):
        # A reduced precision policy must not round the waveform.
        super().__init__(autocast=False, **kwargs)
        if frontend not in FRONTENDS:
            raise ValueError(
                f"frontend must be one of {', '.join(FRONTENDS)}. Received: "
                f"frontend={frontend}"
            )
        self.sample_rate_hz = sample_rate_hz
        self.window_frames = window_frames
        self.frontend = FRONTENDS[frontend](sample_rate_hz, name="log_mel")
        self.encoder = CNN14(
            embedding_dim=embedding_dim,
            width=width,
            hidden_layer=hidden_layer,
            mel_bands=self.frontend.mel_bands,
            dropout=dropout,
            hidden_dropout=hidden_dropout,
            name="cnn14",
        )
        self.embedding_dim = self.encoder.embedding_dim
        self.window_samples = self.frontend.samples_for(window_frames)
        self.window_hop_samples = window_hop_frames * self.frontend.hop_samples
        self.built = True

    def num_windows(self, num_samples):
        """Windows of a clip of `num_samples` (an int or an int tensor)."""
        return framing.covering_frames(
            num_samples, self.window_samples, self.window_hop_samples
        )

    def cut_windows(self, waveform):
        """(B, T) -> (B, windows, window_samples)."""
        num_samples = ops.shape(waveform)[-1]
        before_last = framing.frame(
            waveform,
            self.window_samples,
            self.window_hop_samples,
            self.num_windows(num_samples) - 1,
        )
        # Past the end of a short clip it begins again; one without samples
        # is the zero that is padded.
        places = ops.arange(self.window_samples)
        places += ops.maximum(num_samples - self.window_samples, 0)
        places = places % ops.maximum(num_samples, 1)
        padded = ops.pad(waveform, ((0, 0), (0, 1)))
        last = ops.take(padded, places, axis=1)[:, None]
        return ops.concatenate([before_last, last], axis=1)

    def encode(self, windows, training=False):
        """(N, window_samples) -> h (N, embedding_dim)."""
        return self.encoder(self.frontend(windows), training=training)

    def embed_windows(self, waveform, training=False):
        """(B, T) -> h of every window (B, windows, embedding_dim)."""
        windows = self.cut_windows(waveform)
        flat = ops.reshape(windows, (-1, self.window_samples))
        h = self.encode(flat, training=training)
        shape = (-1, ops.shape(windows)[1], self.embedding_dim)
        return ops.reshape(h, shape)

    def call(self, waveform, training=False):
        return ops.mean(self.embed_windows(waveform, training), axis=1)
