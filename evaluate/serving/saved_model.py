"""Models as a SavedModel: waveform in, no Keras needed to run it."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from data.run.atomic_write import atomic_path
from data.run.errors import UserError
from evaluate.serving import served_models, served_runs
from evaluate.serving.served_models import ServedModels

SERVING = "serving_default"
WINDOWS = "windows"
SCORES = "scores"
SEPARATE = "separate"
WAVEFORM = "waveform"
EMBEDDING = "embedding"
CHANNELS = "channels"


@dataclasses.dataclass(frozen=True)
class Signature:
    """One function of a waveform [B, T], float32, any B and T.

    Attributes:
      output: name of what it gives.
      axes: of the output, for people.
      call: the function in Keras.
      lengths: T at which `check` compares it, in samples.
    """

    output: str
    axes: str
    call: Callable[[tf.Tensor], tf.Tensor]
    lengths: tuple[int, ...]


def export(
    files: dict[str, pathlib.Path],
    digests: dict[str, str],
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
      UserError: the models do not go together, or the folder cannot be made.
    """
    models = served_models.load(files)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(
            f"--output={folder.parent} is not a folder: choose another"
        ) from error
    served = signatures(models)
    with atomic_path(folder) as beside:
        write(served, beside)
        difference = check(served, beside)
        served_runs.describe(models, files, digests, beside)
    told = [
        f"SavedModel: {folder} (largest difference to Keras {difference:.1e})"
    ]
    rate = f" at {models.sample_rate_hz} Hz"
    for name, signature in served.items():
        output = f"{signature.output} {signature.axes}"
        told.append(f"{name}: waveform [B, T]{rate} -> {output}")
        rate = ""
    return told


def signatures(models: ServedModels) -> dict[str, Signature]:
    """What can be served of the models, by name.

    With an encoder, `serving_default` gives its `embedding` [B, d], the mean
    over windows, and `windows` those of each; with a classifier, `scores`
    gives the mean of the windows' scores. With a separator, `separate` gives
    `channels` [B, M, T], and is `serving_default` where no encoder is.
    """
    found = {}
    encoder, separator = models.encoder, models.separator
    if encoder:
        dim, window = encoder.embedding_dim, encoder.window_samples
        lengths = (window // 2, window, int(3.3 * window))

        def scores(waveform):
            h = encoder.embed_windows(waveform)  # (B, W, d)
            flat = models.classifier(ops.reshape(h, (-1, dim)))
            shape = (-1, ops.shape(h)[1], models.num_classes)
            return ops.mean(ops.reshape(flat, shape), axis=1)

        found[SERVING] = Signature(EMBEDDING, f"[B, {dim}]", encoder, lengths)
        found[WINDOWS] = Signature(
            WINDOWS, f"[B, W, {dim}]", encoder.embed_windows, lengths
        )
        if models.classifier:
            axes = f"[B, {models.num_classes}]"
            found[SCORES] = Signature(SCORES, axes, scores, lengths)
    if separator:
        window = separator.transform.window_samples
        found[SEPARATE] = Signature(
            CHANNELS,
            f"[B, {separator.num_sources}, T]",
            separator,
            (1, window - 1, int(30.3 * window)),
        )
        found.setdefault(SERVING, found[SEPARATE])
    return found


def write(served: dict[str, Signature], path: str | os.PathLike) -> None:
    """Writes the SavedModel folder `path`."""
    spec = [tf.TensorSpec([None, None], tf.float32, name=WAVEFORM)]

    def endpoint(signature):
        def serve(waveform):
            return {signature.output: signature.call(waveform)}

        return serve

    # The endpoints find their variables; `track` would store them twice.
    archive = keras.export.ExportArchive()
    for name, signature in served.items():
        archive.add_endpoint(name, endpoint(signature), input_signature=spec)
    archive.write_out(str(path), verbose=False)


def check(
    served: dict[str, Signature], path: str | os.PathLike, seed: int = 0
) -> float:
    """Loads what `write` wrote and compares every signature with Keras.

    Returns:
      The largest absolute difference over noise of the signatures' lengths,
      in batches of 1 and 3.

    Raises:
      RuntimeError: it is above 1e-5 of the largest value (or of 1).
    """
    loaded = tf.saved_model.load(str(path))
    random = np.random.default_rng(seed)
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
