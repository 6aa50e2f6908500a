"""Models as a SavedModel: waveform in, no Keras needed to run it."""

import dataclasses
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from data.run import run_directory, saved_network
from data.run.atomic_write import atomic_path, write_json
from data.run.errors import UserError
from evaluate.serving import served_runs
from evaluate.serving.served_runs import (
    CLASSIFIER,
    DESCRIPTION,
    ENCODER,
    SEPARATOR,
)
from models.embedding_model import EmbeddingModel

# Imported so that Keras can load it.
from models.heads import linear_classifier  # noqa: F401
from models.numerics.valid_waveform import is_valid
from models.separation.separator import Separator

CHANNELS = "channels"
VALID = "valid"


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a waveform [B, T], float32, any B and T.

    It gives VALID [B] too: which clips `is_valid` allows. Of the others it
    computes nothing, and gives zeros.

    Attributes:
      output: name of what it gives.
      axes: of the output, for people.
      call: the function in Keras.
      lengths: T at which it is compared with Keras, in samples.
    """

    output: str
    axes: str
    call: Callable[[tf.Tensor], tf.Tensor]
    lengths: tuple[int, ...]

    def answer(self, waveform: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is served: the output, and VALID."""
        valid = is_valid(waveform)
        batch, samples = tf.unstack(tf.shape(waveform))
        # Networks take no empty tensors: a silent clip, or sample, is put in.
        padded = tf.pad(
            tf.where(valid[:, None], waveform, 0.0),
            [[0, tf.maximum(1 - batch, 0)], [0, tf.maximum(1 - samples, 0)]],
        )
        value = self.call(padded)[:batch]
        if self.output == CHANNELS:
            value = value[..., :samples]
        mask = tf.reshape(valid, [-1] + [1] * (len(value.shape) - 1))
        return {self.output: tf.where(mask, value, 0.0), VALID: valid}


def export(
    files: dict[str, pathlib.Path],
    digests: dict[str, str | int],
    folder: pathlib.Path,
) -> list[str]:
    """Writes a SavedModel, which appears once it agrees with Keras.

    Args:
      files: of the models, see `served_runs.find`.
      digests: of these files, see `served_runs.digests_of`.
      folder: the SavedModel.

    Returns:
      Lines for people: where it is, and one for each signature.

    Raises:
      UserError: a file holds another kind of model, the models do not go
        together, or the folder cannot be made.
      RuntimeError: they disagree.
    """
    models = _load(files)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"--output={folder.parent} is not a folder: choose another"
        ) from error
    served_runs.claim(folder.parent)
    served = signatures(models)
    with atomic_path(folder) as beside:
        write(served, beside)
        difference = _largest_difference(served, beside)
        value = {**_description(models, files), **digests}
        write_json(beside / DESCRIPTION, value)
    told = [
        f"SavedModel: {folder} (largest difference to Keras {difference:.1e})"
    ]
    rate = f" at {next(iter(models.values())).sample_rate_hz} Hz"
    for name, signature in served.items():
        output = f"{signature.output} {signature.axes}"
        told.append(f"{name}: waveform [B, T]{rate} -> {output}, {VALID} [B]")
        rate = ""
    return told


def _load(files: dict[str, pathlib.Path]) -> dict[str, keras.Model]:
    kinds = {ENCODER: EmbeddingModel, SEPARATOR: Separator}
    models = {
        part: saved_network.load(file, kinds.get(part, keras.Model))
        for part, file in files.items()
    }
    rates = [models[part].sample_rate_hz for part in kinds if part in models]
    if len(set(rates)) > 1:
        raise UserError(
            f"the encoder is for {rates[0]} Hz, the separator "
            f"{files[SEPARATOR]} for {rates[1]} Hz, and a SavedModel takes one "
            "rate: export them one by one"
        )
    if CLASSIFIER in models:
        try:
            _num_classes(models)
        except Exception as error:
            raise UserError(
                f"{files[CLASSIFIER]} does not take embeddings of "
                f"{models[ENCODER].embedding_dim} dimensions: make it for this "
                "encoder"
            ) from error
    return models


def _num_classes(models: dict[str, keras.Model]) -> int:
    h = np.zeros((1, models[ENCODER].embedding_dim), np.float32)
    return models[CLASSIFIER](h).shape[1]


def signatures(models: dict[str, keras.Model]) -> dict[str, Signature]:
    """What can be served of the models, by name.

    With an encoder, `serving_default` gives its `embedding` [B, d], the mean
    over windows, and `windows` those of each; with a classifier, `scores`
    gives the mean of the windows' scores. With a separator, `separate` gives
    `channels` [B, M, T], and is `serving_default` where no encoder is.
    """
    found = {}
    if encoder := models.get(ENCODER):
        dim, window = encoder.embedding_dim, encoder.window_samples
        lengths = (window // 2, window, int(3.3 * window))
        found["serving_default"] = Signature(
            "embedding", f"[B, {dim}]", encoder, lengths
        )
        found["windows"] = Signature(
            "windows", f"[B, W, {dim}]", encoder.embed_windows, lengths
        )
    if classifier := models.get(CLASSIFIER):
        num_classes = _num_classes(models)

        def scores(waveform):
            h = encoder.embed_windows(waveform)  # (B, W, d)
            flat = classifier(ops.reshape(h, (-1, dim)))
            shape = (-1, ops.shape(h)[1], num_classes)
            return ops.mean(ops.reshape(flat, shape), axis=1)

        found["scores"] = Signature(
            "scores", f"[B, {num_classes}]", scores, lengths
        )
    if separator := models.get(SEPARATOR):
        window = separator.transform.window_samples
        found["separate"] = Signature(
            CHANNELS,
            f"[B, {separator.num_sources}, T]",
            separator,
            (1, window - 1, int(30.3 * window)),
        )
        found.setdefault("serving_default", found["separate"])
    return found


def write(served: dict[str, Signature], path: pathlib.Path) -> None:
    """Writes the SavedModel folder `path`."""
    spec = [tf.TensorSpec([None, None], tf.float32, name="waveform")]
    # The endpoints find their variables; `track` would store them twice.
    archive = keras.export.ExportArchive()
    for name, signature in served.items():
        archive.add_endpoint(name, signature.answer, input_signature=spec)
    archive.write_out(str(path), verbose=False)


def _largest_difference(
    served: dict[str, Signature], path: pathlib.Path
) -> float:
    """To Keras, over noise, of what `write` wrote.

    Above 1e-5 of the largest value (or of 1) it is an error.
    """
    loaded = tf.saved_model.load(str(path))
    random = np.random.default_rng(0)
    worst = 0.0
    for name, signature in served.items():
        for batch, length in zip((1, 3, 3), signature.lengths, strict=True):
            waveform = random.normal(0, 0.1, (batch, length)).astype("f4")
            answer = loaded.signatures[name](waveform=tf.constant(waveform))
            expected = signature.call(waveform).numpy()
            error = np.abs(answer[signature.output].numpy() - expected).max()
            if not error <= 1e-5 * max(1.0, np.abs(expected).max()):
                raise RuntimeError(
                    f"the SavedModel's {name} is {error:.2g} off Keras for "
                    f"{batch} waveforms of {length} samples"
                )
            worst = max(worst, float(error))
    return worst


def _description(
    models: dict[str, keras.Model], files: dict[str, pathlib.Path]
) -> dict:
    """What model.json tells of the models, beside their files' digests."""
    value = {"sample_rate_hz": next(iter(models.values())).sample_rate_hz}
    if encoder := models.get(ENCODER):
        run = files[ENCODER].parent
        record = run_directory.read(run)
        value |= {
            "embedding_dim": encoder.embedding_dim,
            "window_samples": encoder.window_samples,
            "window_hop_samples": encoder.window_hop_samples,
            "model": encoder.get_config(),
            "encoder": str(run),
            "pretraining": record["config"],
            "versions": record["versions"],
        }
    if CLASSIFIER in models:
        value["num_classes"] = _num_classes(models)
    if separator := models.get(SEPARATOR):
        run = files[SEPARATOR].parents[1]
        record = run_directory.read(run)
        value["separation"] = {
            "separator": str(run),
            "processor": files[SEPARATOR].stem,
            "num_sources": separator.num_sources,
            "window_samples": separator.transform.window_samples,
            "hop_samples": separator.transform.hop_samples,
            "model": separator.get_config(),
            "stage": record["stage"],
            "config": record["config"],
            "versions": record["versions"],
        }
    return value
