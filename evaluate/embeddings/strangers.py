"""Embeddings of others beside ours: any SavedModel, any HEAR module.

HEAR: Turian et al., "HEAR: Holistic Evaluation of Audio Representations"
(2022), whose common API is `load_model` and `get_scene_embeddings`.
"""

import dataclasses
import importlib
import pathlib
import sys
from collections.abc import Callable, Sequence

import numpy as np
import soxr
import tensorflow as tf

from data.run import content
from data.run.errors import UserError
from data.shards.dataset_info import DatasetInfo
from evaluate.embeddings.encoders import Representation

SAVED_MODEL = "saved_model"
HEAR = "hear"

_SIGNATURE = "serving_default"
# Of a clip that is long enough for any model.
_PROBE_SAMPLES = 1 << 17


@dataclasses.dataclass(frozen=True, eq=False)
class Stranger:
    """A `Representation` whose model is not ours: a vector for a whole clip.

    Attributes:
      name, kind, identity, cache, encoder: as of `Representation`.
      embed: a clip (T,) float32 at the rate of the shards -> (d,).
    """

    name: str
    kind: str
    identity: str
    cache: str
    embed: Callable[[np.ndarray], np.ndarray]
    encoder: None = None

    # A clip is one window, and is embedded alone: clips differ in length.
    batch_windows = 1

    def cut_windows(self, waveform):
        """One clip (T,) -> (1, T)."""
        return waveform[None]

    def encode(self, windows: np.ndarray) -> np.ndarray:
        """(N, T) -> (N, d) float32.

        Raises:
          UserError: the model does not give a vector.
        """
        if not len(windows):
            # Only the model knows d.
            return self.encode(np.zeros((1, _PROBE_SAMPLES), np.float32))[:0]
        vectors = [np.asarray(self.embed(clip)) for clip in windows]
        if vectors[0].ndim != 1:
            raise UserError(
                f"{self.name} gives {vectors[0].shape} for a clip: a vector is "
                "wanted"
            )
        return np.stack(vectors).astype(np.float32)


def load(
    saved_models: Sequence[str],
    hear: Sequence[str],
    encoders: Sequence[Representation],
    info: DatasetInfo,
) -> list[Stranger]:
    """A row for each.

    Args:
      saved_models: folders, or FOLDER@HZ where the model's rate is not that of
        the shards. `serving_default` takes waveforms [B, T] (or one, [T]); its
        output `embedding`, or its only one, is averaged over time if it has
        any.
      hear: MODULE, or MODULE:WEIGHTS.
      encoders: their embeddings are kept beside those of the first.
      info: the shards.

    Raises:
      UserError: one cannot be loaded.
    """
    cache = encoders[0].cache
    return [_saved_model(text, cache, info) for text in saved_models] + [
        _hear(text, cache, info) for text in hear
    ]


def _saved_model(text: str, cache: str, info: DatasetInfo) -> Stranger:
    folder, at, rate = text.rpartition("@")
    if not (at and rate.isdigit()):
        folder, rate = text, info.sample_rate_hz
    path = pathlib.Path(folder)
    if not (path / "saved_model.pb").exists():
        raise UserError(f"--saved_model={text}: {folder} has no saved_model.pb")
    model = tf.saved_model.load(folder)
    signature = model.signatures.get(_SIGNATURE)
    if signature is None:
        raise UserError(f"--saved_model={text} has no signature {_SIGNATURE}")
    inputs = signature.structured_input_signature[1]
    outputs = signature.structured_outputs
    for what, named, wanted in (
        ("input", inputs, "waveform"),
        ("output", outputs, "embedding"),
    ):
        if len(named) > 1 and wanted not in named:
            raise UserError(
                f"--saved_model={text}: {_SIGNATURE} has the {what}s "
                f"{', '.join(sorted(named))}, and none is {wanted!r}"
            )
    [(into, spec)] = [
        item
        for item in inputs.items()
        if len(inputs) == 1 or item[0] == "waveform"
    ]
    out = "embedding" if "embedding" in outputs else next(iter(outputs))
    has_batch = spec.shape.rank != 1

    def embed(clip):
        # Held here: its variables go with the model.
        waveform = tf.constant(_resampled(clip, info, int(rate)))
        waveform = waveform[None] if has_batch else waveform
        found = model.signatures[_SIGNATURE](**{into: waveform})[out].numpy()
        found = found[0] if has_batch else found
        return found.reshape(-1, found.shape[-1]).mean(axis=0)

    files = {
        str(file.relative_to(path)): file
        for file in sorted(path.rglob("*"))
        if file.is_file() and "assets.extra" not in file.parts
    }
    identity = content.value_sha256(
        [SAVED_MODEL, int(rate), content.files_sha256(files)]
    )
    return Stranger(path.resolve().name, SAVED_MODEL, identity, cache, embed)


def _hear(text: str, cache: str, info: DatasetInfo) -> Stranger:
    name, _, weights = text.partition(":")
    try:
        module = importlib.import_module(name)
        model = module.load_model(*filter(None, [weights]))
        rate = int(model.sample_rate)
        get_scene_embeddings = module.get_scene_embeddings
    except (ImportError, AttributeError, OSError) as error:
        raise UserError(
            f"--hear={text} is no importable module of the HEAR API: {error}"
        ) from error
    torch = sys.modules.get("torch")
    is_torch = torch is not None and isinstance(model, torch.nn.Module)

    def embed(clip):
        audio = _resampled(clip, info, rate)[None]
        if is_torch:
            with torch.no_grad():
                audio = torch.from_numpy(audio)
                return get_scene_embeddings(audio, model).cpu().numpy()[0]
        return np.asarray(get_scene_embeddings(tf.constant(audio), model))[0]

    source = pathlib.Path(module.__file__)
    sources = (
        sorted(source.parent.rglob("*.py"))
        if source.name == "__init__.py"
        else [source]
    )
    files = {str(file): file for file in sources}
    if weights and pathlib.Path(weights).is_file():
        files["weights"] = pathlib.Path(weights)
    identity = content.value_sha256([HEAR, text, content.files_sha256(files)])
    return Stranger(name, HEAR, identity, cache, embed)


def _resampled(clip: np.ndarray, info: DatasetInfo, rate_hz: int) -> np.ndarray:
    if rate_hz == info.sample_rate_hz:
        return clip
    return soxr.resample(clip, info.sample_rate_hz, rate_hz)
