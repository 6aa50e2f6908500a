"""What turns the windows of a clip into vectors: encoders, above all."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from data.run import content, saved_network
from data.run.encoder_files import model_file
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.encoder_runs import unique_names
from models.embedding_model import EmbeddingModel

ENCODER = "encoder"
UNTRAINED = "untrained"
LOG_MEL_STATISTICS = "log_mel_statistics"

# Frames encoded at once: 64 windows of 0.96 s.
_BATCH_FRAMES = 64 * 96


@dataclasses.dataclass(frozen=True, eq=False)
class Representation:
    """One row of the results: an encoder, or a baseline beside it.

    Attributes:
      name: of the row, unique among those compared.
      kind: `ENCODER`, `UNTRAINED` or `LOG_MEL_STATISTICS`.
      identity: equal for two representations exactly when their vectors are.
      cache: folder where its embeddings are kept.
      model: cuts the windows, and has the sample rate.
      encode_batch: windows (N, window_samples) -> (N, d), in the graph.
      encoder: the run directory; None for a baseline.
    """

    name: str
    kind: str
    identity: str
    cache: str
    model: EmbeddingModel
    encode_batch: Callable[[tf.Tensor], tf.Tensor]
    encoder: str | None = None

    @functools.cached_property
    def _graph_of(self) -> Callable:
        """By windows of a batch."""

        # Traced when first needed: kept embeddings need no graph.
        @functools.cache
        def graph_of(windows: int):
            spec = tf.TensorSpec(
                [windows, self.model.window_samples], "float32"
            )
            return tf.function(
                self.encode_batch, input_signature=[spec], autograph=False
            ).get_concrete_function()

        return graph_of

    @property
    def batch_windows(self) -> int:
        """Windows encoded at once; fewer of long ones, for their memory."""
        return max(1, _BATCH_FRAMES // self.model.window_frames)

    def cut_windows(self, waveform):
        """One clip (T,) -> (windows, window_samples), as the encoder does."""
        return self.model.cut_windows(waveform[None])[0]

    def encode(
        self, windows: np.ndarray, fewest: int | None = None
    ) -> np.ndarray:
        """(N, window_samples) -> (N, d) float32, for any N.

        A graph always sees `batch_windows` windows, or `fewest` of what does
        not fill these, the last ones zeros: it is traced once, and a vector
        does not depend on its batch.

        Args:
          fewest: a divisor of `batch_windows`; None: it is not made use of.
        """
        full = len(windows) - len(windows) % self.batch_windows
        rest = fewest or self.batch_windows
        parts = [
            self._encode(windows[start : start + size], size)
            for first, end, size in (
                (0, full, self.batch_windows),
                (full, len(windows), rest),
            )
            for start in range(first, end, size)
        ]
        dim = self._graph_of(rest).structured_outputs.shape[-1]
        return np.concatenate([np.zeros((0, dim), np.float32), *parts])

    def _encode(self, windows: np.ndarray, size: int) -> np.ndarray:
        padded = np.pad(windows, [(0, size - len(windows)), (0, 0)])
        return self._graph_of(size)(tf.constant(padded)).numpy()[: len(windows)]


def load_model(run: str | pathlib.Path) -> EmbeddingModel:
    """The model of an encoder's run directory.

    Raises:
      UserError: `run` is no such directory, or its model is missing or
        damaged.
    """
    return saved_network.load(model_file(run), EmbeddingModel)


def load_encoders(
    runs: Sequence[str], info: DatasetInfo | None = None
) -> list[Representation]:
    """The encoders of several run directories, under unique names.

    Args:
      runs: the run directories.
      info: shards that are to be embedded, if any.

    Raises:
      UserError: see `load_model` and `unique_names`; or the shards are at
        another rate than an encoder was trained at.
    """
    encoders = []
    for run, name in zip(runs, unique_names(runs), strict=True):
        model = load_model(run)
        if info and info.sample_rate_hz != model.sample_rate_hz:
            raise UserError(
                f"{name} takes audio at {model.sample_rate_hz} Hz, "
                f"{info.folder} has {info.sample_rate_hz} Hz: write shards at "
                "the former"
            )
        encoders.append(
            Representation(
                name=name,
                kind=ENCODER,
                identity=content.file_sha256(model_file(run)),
                cache=str(pathlib.Path(run) / "embeddings"),
                model=model,
                encode_batch=model.encode,
                encoder=str(run),
            )
        )
    return encoders


@functools.cache
def kept_encoder(run: str, identity: str) -> Representation:
    """The encoder of a run directory, loaded once in each process.

    Raises:
      UserError: see `load_model`; or the directory holds another encoder.
    """
    [encoder] = load_encoders([run])
    if encoder.identity != identity:
        raise UserError(
            f"{run} holds another encoder than when the job was started"
        )
    return encoder
