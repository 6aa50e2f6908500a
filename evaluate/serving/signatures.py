"""What a SavedModel answers, and what Keras says to the same."""

import dataclasses
import functools
import io
from collections.abc import Callable, Mapping

import keras
import numpy as np
import soundfile
import soxr
import tensorflow as tf

from evaluate.serving.padded_clips import ClipWindows, valid_clips
from evaluate.serving.resampling import rates_to
from evaluate.serving.served_networks import num_classes
from evaluate.serving.served_runs import CLASSIFIER, ENCODER, SEPARATOR
from evaluate.serving.wav_bytes import waveforms
from models.cnn14.folded import FoldedCNN14
from models.embedding_model import EmbeddingModel
from models.numerics.valid_waveform import is_valid
from models.separation.separator import Separator

DEFAULT = "serving_default"
VALID = "valid"
_VALID_AXES = {VALID: "[B]"}

_WAVEFORM = tf.TensorSpec([None, None], tf.float32, name="waveform")
_AUDIO_BYTES = tf.TensorSpec([None], tf.string, name="audio_bytes")
_NUM_SAMPLES = tf.TensorSpec([None], tf.int32, name="num_samples")


@dataclasses.dataclass(frozen=True, eq=False)
class Example:
    """Inputs for which what is served and Keras are compared.

    Attributes:
      inputs: arrays by name.
      keras: arrays likewise -> what Keras gives for some of the outputs.
    """

    inputs: Mapping[str, np.ndarray]
    keras: Callable[..., dict[str, np.ndarray]]

    @functools.cached_property
    def expected(self) -> dict[str, np.ndarray]:
        """Computed once, for all signatures that have this example."""
        return self.keras(**self.inputs)


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """One function of a SavedModel.

    Every one gives VALID [B] too: which clips networks can answer for. Of the
    others nothing is computed, and they get zeros.

    Attributes:
      inputs: what it takes, by name.
      outputs: what it gives, and its axes, for people.
      answer: tensors by name -> outputs by name, in the graph.
      examples: where it is compared with Keras.
      tolerance: largest difference then, relative to the largest value, or to
        1.
    """

    inputs: tuple[tf.TensorSpec, ...]
    outputs: Mapping[str, str]
    answer: Callable[..., dict[str, tf.Tensor]]
    examples: tuple[Example, ...]
    tolerance: float = 1e-5


def signatures(models: Mapping[str, keras.Model]) -> dict[str, Signature]:
    """What can be served of the models, by name.

    With an encoder: `serving_default` gives its `embedding` [B, d], the mean
    over windows; `padded` the same of clips of different length, and
    `audio_bytes` of WAV files; `windows` those of each window, and its times;
    with a classifier, `scores` the mean of the windows' scores. With a
    separator, `separate` gives `channels` [B, M, T], and is `serving_default`
    where no encoder is.

    Args:
      models: by part, as `served_runs` names them.
    """
    found = {}
    if encoder := models.get(ENCODER):
        found |= _ServedEncoder(encoder, models.get(CLASSIFIER)).signatures()
    if separator := models.get(SEPARATOR):
        found["separate"] = _separate(separator)
        found.setdefault(DEFAULT, found["separate"])
    return found


class _ServedEncoder:
    """The signatures of an encoder, with a classifier or without."""

    def __init__(self, model: EmbeddingModel, classifier: keras.Model | None):
        self._model, self._classifier = model, classifier
        bands = model.frontend.mel_bands
        network = FoldedCNN14(model.encoder, model.window_frames, bands)
        self._dim = model.embedding_dim
        # One graph that all signatures call.
        self._encode = tf.function(
            lambda windows: network(model.frontend(windows)),
            input_signature=[
                tf.TensorSpec([None, model.window_samples], tf.float32)
            ],
            autograph=False,
        )

    def signatures(self) -> dict[str, Signature]:
        dim, window = self._dim, self._model.window_samples
        rate_hz = self._model.sample_rate_hz
        clips = [
            _noise(batch, length)
            for batch, length in (
                (1, window // 2),
                (3, window),
                (3, int(3.3 * window)),
            )
        ]
        of_waveform = {
            "inputs": (_WAVEFORM,),
            "examples": tuple(
                Example({"waveform": clip}, self._expected) for clip in clips
            ),
        }
        embedding = {"embedding": f"[B, {dim}]"}
        times = {"start_s": "[B, W]", "end_s": "[B, W]"}
        found = {
            DEFAULT: Signature(
                outputs=embedding | _VALID_AXES,
                answer=lambda waveform: self._answer(
                    waveform, None, ["embedding"]
                ),
                **of_waveform,
            ),
            "windows": Signature(
                outputs={"windows": f"[B, W, {dim}]"} | times | _VALID_AXES,
                answer=lambda waveform: self._answer(
                    waveform, None, ["windows", *times]
                ),
                **of_waveform,
            ),
        }
        of_clips = embedding
        if self._classifier is not None:
            classes = num_classes(self._model, self._classifier)
            scores = {"scores": f"[B, {classes}]"}
            found["scores"] = Signature(
                outputs=scores | _VALID_AXES,
                answer=lambda waveform: self._answer(
                    waveform, None, ["scores"]
                ),
                **of_waveform,
            )
            of_clips = embedding | scores
        lengths = np.array([window // 2, window, int(2.7 * window)], "i4")
        found["padded"] = Signature(
            inputs=(_WAVEFORM, _NUM_SAMPLES),
            outputs=of_clips | _VALID_AXES,
            answer=lambda waveform, num_samples: self._answer(
                waveform, num_samples, list(of_clips)
            ),
            examples=(
                Example(
                    {"waveform": clips[-1], "num_samples": lengths},
                    self._expected,
                ),
            ),
        )
        found["audio_bytes"] = Signature(
            inputs=(_AUDIO_BYTES,),
            outputs=of_clips | _VALID_AXES,
            answer=lambda audio_bytes: self._answer(
                *waveforms(audio_bytes, rate_hz), list(of_clips)
            ),
            examples=(
                Example(
                    {"audio_bytes": _wav_files(clips[-1], rate_hz)},
                    self._expected_of_files,
                ),
            ),
            # soxr rounds to float32 on its way, and what it leaves above the
            # band of a file of 8 kHz is near the floor of the log-mel.
            tolerance=1e-4,
        )
        return found

    def _answer(
        self,
        waveform: tf.Tensor,
        num_samples: tf.Tensor | None,
        outputs: list[str],
    ) -> dict[str, tf.Tensor]:
        batch, length = tf.unstack(tf.shape(waveform))
        if num_samples is None:
            num_samples = tf.repeat(length, batch)
        valid = valid_clips(waveform, num_samples)
        # Networks take no empty tensors: a silent clip, or sample, is put in.
        padded = tf.pad(
            tf.where(valid[:, None], waveform, 0.0),
            [[0, tf.maximum(1 - batch, 0)], [0, tf.maximum(1 - length, 0)]],
        )
        longest = tf.maximum(length, 1)
        known = tf.pad(
            tf.clip_by_value(num_samples, 1, longest),
            [[0, tf.maximum(1 - batch, 0)]],
            constant_values=longest,
        )
        windows = ClipWindows(self._model, known)
        h = windows.encode(padded, self._encode, self._dim)
        rate_hz = tf.cast(self._model.sample_rate_hz, tf.float32)
        values = {
            "embedding": lambda: windows.mean(h),
            "scores": lambda: windows.mean(self._classifier(h)),
            "windows": lambda: windows.by_clip(h),
            "start_s": lambda: windows.by_clip(
                tf.cast(windows.start, tf.float32) / rate_hz
            ),
            "end_s": lambda: windows.by_clip(
                tf.cast(windows.end, tf.float32) / rate_hz
            ),
        }
        return _where_valid(
            valid, {name: values[name]()[:batch] for name in outputs}
        )

    def _expected(
        self, waveform: np.ndarray, num_samples: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        if num_samples is None:
            windows = self._model.embed_windows(waveform).numpy()
            value = {"windows": windows, "embedding": windows.mean(axis=1)}
            if self._classifier is not None:
                value["scores"] = np.stack(
                    [self._classifier(h).numpy().mean(axis=0) for h in windows]
                )
            return value
        alone = [
            self._expected(clip[None, :length])
            for clip, length in zip(waveform, num_samples, strict=True)
        ]
        return {
            name: np.concatenate([value[name] for value in alone])
            for name in alone[0]
            if name != "windows"
        }

    def _expected_of_files(
        self, audio_bytes: np.ndarray
    ) -> dict[str, np.ndarray]:
        rate_hz = self._model.sample_rate_hz
        clips = []
        for file in audio_bytes:
            audio, found_hz = soundfile.read(io.BytesIO(file), dtype="float32")
            clips.append(soxr.resample(audio, found_hz, rate_hz))
        lengths = [len(clip) for clip in clips]
        padded = [np.pad(clip, (0, max(lengths) - len(clip))) for clip in clips]
        return self._expected(np.stack(padded), lengths)


def _separate(separator: Separator) -> Signature:
    def answer(waveform):
        valid = is_valid(waveform)
        batch, samples = tf.unstack(tf.shape(waveform))
        padded = tf.pad(
            tf.where(valid[:, None], waveform, 0.0),
            [[0, tf.maximum(1 - batch, 0)], [0, tf.maximum(1 - samples, 0)]],
        )
        channels = separator(padded)[:batch, :, :samples]
        return _where_valid(valid, {"channels": channels})

    def expected(waveform):
        return {"channels": separator(waveform).numpy()}

    window = separator.transform.window_samples
    shapes = (1, 1), (3, window - 1), (3, int(30.3 * window))
    return Signature(
        inputs=(_WAVEFORM,),
        outputs={"channels": f"[B, {separator.num_sources}, T]"} | _VALID_AXES,
        answer=answer,
        examples=tuple(
            Example({"waveform": _noise(*shape)}, expected) for shape in shapes
        ),
    )


def _where_valid(
    valid: tf.Tensor, outputs: Mapping[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """With zeros elsewhere, and VALID."""
    masked = {
        name: tf.where(
            tf.reshape(valid, [-1] + [1] * (len(value.shape) - 1)), value, 0.0
        )
        for name, value in outputs.items()
    }
    return masked | {VALID: valid}


def _noise(batch: int, length: int) -> np.ndarray:
    random = np.random.default_rng(length)
    return random.normal(0, 0.1, (batch, length)).astype("f4")


def _wav_files(clips: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """One at each rate that can be brought to this one."""
    files = []
    for rate_hz in rates_to(sample_rate_hz):
        file = io.BytesIO()
        soundfile.write(file, clips[0], rate_hz, format="WAV")
        files.append(file.getvalue())
    return np.array(files, object)
