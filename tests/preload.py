"""What the server of `script_process` imports: TensorFlow and Keras."""

import sys

from data.run import environment

environment.import_less()

import keras  # noqa: E402, F401
import tensorflow  # noqa: E402, F401

# Nothing of ours: a program imports that for itself, as it is then.
for name in [*sys.modules]:
    if name.split(".")[0] == "data":
        del sys.modules[name]
