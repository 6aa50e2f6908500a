"""What TensorFlow Serving is started with, beside the versions of a model."""

import pathlib
import shlex

from data.run.atomic_write import write_text

_MODELS = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""

_BATCHING = """\
# Requests of one signature and length that come within 5 ms are answered
# together. With padding, clips of several lengths are too: that is right for
# the signature `padded`, and wrong for all others that take a waveform.
max_batch_size { value: 16 }
batch_timeout_micros { value: 5000 }
num_batch_threads { value: 2 }
max_enqueued_batches { value: 100 }
pad_variable_length_inputs: false
"""


def write(output: pathlib.Path, name: str) -> None:
    """Writes models.config and batching_parameters.txt.

    Args:
      output: folder of the versions.
      name: that the server is to know the model by.
    """
    write_text(output / "models.config", _MODELS.format(name=name))
    write_text(output / "batching_parameters.txt", _BATCHING)


def how_to_serve(folder: pathlib.Path, name: str) -> str:
    """Commands for a version's folder, for people."""
    mount = shlex.quote(f"{folder.parent.resolve()}:/models/{name}")
    return (
        "look at it: saved_model_cli show --all --dir "
        f"{shlex.quote(str(folder))}\n"
        f"serve it: docker run -p 8500:8500 -p 8501:8501 -v {mount} "
        "tensorflow/serving "
        f"--model_config_file=/models/{name}/models.config "
        "--enable_batching "
        f"--batching_parameters_file=/models/{name}/batching_parameters.txt"
    )
