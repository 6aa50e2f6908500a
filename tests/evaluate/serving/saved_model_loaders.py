"""The two ways that a SavedModel is run: Python without Keras, a session."""

import pathlib
import subprocess
import sys

import numpy as np
import tensorflow as tf

# Run without this repository on the path and with keras out of reach.
_SCRIPT = """
import sys

sys.modules.update(keras=None, tf_keras=None)
import numpy as np
import tensorflow as tf

folder, waveforms, answers = sys.argv[1:]
model = tf.saved_model.load(folder)
found = {}
with np.load(waveforms) as inputs:
    for name in inputs:
        waveform = tf.constant(inputs[name])
        for key, signature in model.signatures.items():
            for output, value in signature(waveform=waveform).items():
                found[f"{name}/{key}/{output}"] = value.numpy()
assert not {"keras.src", "models", "evaluate"} & set(sys.modules)
np.savez(answers, **found)
"""


def answers_without_keras(
    served: pathlib.Path,
    waveforms: dict[str, np.ndarray],
    scratch: pathlib.Path,
) -> dict[str, np.ndarray]:
    """ "<waveform>/<signature>/<output>" -> value, from a fresh process."""
    np.savez(scratch / "waveforms.npz", **waveforms)
    files = ("waveforms.npz", "answers.npz")
    done = subprocess.run(
        [sys.executable, "-I", "-c", _SCRIPT, str(served), *files],
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    with np.load(scratch / "answers.npz") as answers:
        return dict(answers)


def answers_in_a_session(
    served: pathlib.Path, waveforms: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The same from a graph and a session, as TensorFlow Serving loads it."""
    answers = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(served))
        for key, signature in loaded.signature_def.items():
            # Of Keras's own making, without an input.
            if "waveform" not in signature.inputs:
                continue
            outputs = {k: t.name for k, t in signature.outputs.items()}
            for name, waveform in waveforms.items():
                feeds = {signature.inputs["waveform"].name: waveform}
                for output, value in session.run(outputs, feeds).items():
                    answers[f"{name}/{key}/{output}"] = value
    return answers
