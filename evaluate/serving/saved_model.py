"""Models as a SavedModel: waveform in, no Keras needed to run it."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

from data.run import run_directory
from data.run.atomic_write import atomic_path, write_json
from data.run.errors import UserError
from evaluate.serving import served_networks, served_runs, warmup
from evaluate.serving.served_networks import num_classes
from evaluate.serving.served_runs import (
    CLASSIFIER,
    DESCRIPTION,
    ENCODER,
    SEPARATOR,
)
from evaluate.serving.signatures import Signature, signatures


def export(
    files: dict[str, pathlib.Path],
    digests: dict[str, str | int],
    folder: pathlib.Path,
    model_name: str,
) -> list[str]:
    """Writes a SavedModel, which appears once it agrees with Keras.

    Args:
      files: of the models, see `served_runs.find`.
      digests: of these files, see `served_runs.digests_of`.
      folder: the SavedModel.
      model_name: that a server is to know it by.

    Returns:
      Lines for people: where it is, and one for each signature.

    Raises:
      UserError: a file holds another kind of model, the models do not go
        together, or the folder cannot be made.
      RuntimeError: they disagree.
    """
    models = served_networks.load(files)
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
        warmup.write(served, model_name, beside)
        difference = largest_difference(served, beside)
        value = {**_description(models, files), **digests}
        write_json(beside / DESCRIPTION, value)
    told = [
        f"SavedModel: {folder} (largest difference to Keras {difference:.1e})"
    ]
    rate_hz = next(iter(models.values())).sample_rate_hz
    told.append(f"waveform [B, T] at {rate_hz} Hz is answered by")
    for name, signature in served.items():
        inputs = ", ".join(spec.name for spec in signature.inputs)
        outputs = (f"{name} {axes}" for name, axes in signature.outputs.items())
        told.append(f"{name}: {inputs} -> {', '.join(outputs)}")
    return told


def write(served: dict[str, Signature], path: pathlib.Path) -> None:
    """Writes the SavedModel folder `path`."""
    # Concrete ones: another is traced anew while it is saved.
    traced = {
        signature: tf.function(
            signature.answer, input_signature=signature.inputs, autograph=False
        ).get_concrete_function()
        for signature in dict.fromkeys(served.values())
    }
    root = tf.Module()
    # Those that are used: with the models some would be stored twice.
    root._all_variables = list(
        {v.ref(): v for f in traced.values() for v in f.variables}.values()
    )
    for name, signature in served.items():
        setattr(root, name, traced[signature])
    tf.saved_model.save(
        root,
        str(path),
        {name: traced[signature] for name, signature in served.items()},
    )


def largest_difference(
    served: dict[str, Signature], path: pathlib.Path
) -> float:
    """To Keras, over the examples, of what `write` wrote.

    Above the signature's tolerance it is an error.
    """
    loaded = tf.saved_model.load(str(path))
    worst = 0.0
    for name, signature in served.items():
        for example in signature.examples:
            tensors = {k: tf.constant(v) for k, v in example.inputs.items()}
            answer = loaded.signatures[name](**tensors)
            for output in set(example.expected) & set(answer):
                value = example.expected[output]
                error = np.abs(answer[output].numpy() - value).max()
                scale = max(1.0, np.abs(value).max())
                if not error <= signature.tolerance * scale:
                    raise RuntimeError(
                        f"the SavedModel's {name} is {error:.2g} off Keras for "
                        + _shapes(example.inputs)
                    )
                worst = max(worst, float(error))
    return worst


def _shapes(inputs: dict[str, np.ndarray]) -> str:
    return ", ".join(f"{k} {v.shape}" for k, v in inputs.items())


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
        value["num_classes"] = num_classes(models[ENCODER], models[CLASSIFIER])
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
