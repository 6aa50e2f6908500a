"""What TensorFlow and Keras read from the shell, once, as they are imported."""

import contextlib
import importlib.abc
import importlib.util
import os
import platform
import sys

# As it was: for other programs of ours that are started from here.
SHELL = dict(os.environ)

_TENSORFLOW = "tensorflow"
_UTF8 = "PYTHONUTF8"


def use_utf8() -> None:
    """Starts this program anew in UTF-8, where it runs in another encoding.

    Names of files, labels in tables and what is printed then agree, and
    nothing ends with a character that a locale lacks.
    """
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get(_UTF8) == "1":
        return
    os.environ[_UTF8] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def prepare() -> list[str]:
    """Sets the variables that a program of ours needs.

    To be called before TensorFlow or Keras is imported.

    Keras: neither variables of the shell nor the user's keras.json (backend,
    float type, image format) change what we compute.

    oneDNN: on, unless the shell says otherwise. Left to itself, TensorFlow
    takes it on some CPUs only, and without it a training step takes up to four
    times as long (`make bench-onednn`).

    Returns:
      A sentence for each variable of the shell that is not followed.

    Raises:
      ImportError: Keras was imported before, with another backend.
    """
    if keras := sys.modules.get("keras"):
        if keras.config.backend() != _TENSORFLOW:
            raise ImportError(
                f"Keras runs on {keras.config.backend()} here: import this "
                f"before it, or set KERAS_BACKEND={_TENSORFLOW}"
            )
    shell = {k: v for k, v in os.environ.items() if k.startswith("KERAS_")}
    for name in shell:
        del os.environ[name]
    os.environ["KERAS_BACKEND"] = _TENSORFLOW
    # A place that can hold no keras.json.
    os.environ["KERAS_HOME"] = os.devnull
    # On other processors the kernels are others, not measured by us.
    if platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # Its C++ side tells of missing GPUs as errors; real ones reach Python.
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
        sys.meta_path.insert(0, _QuietImport())
    return [
        f"{name}={value} of your shell is not followed: this runs on "
        f"{_TENSORFLOW}, with Keras' own defaults"
        for name, value in shell.items()
        if name != "KERAS_HOME"
        and (name, value) != ("KERAS_BACKEND", _TENSORFLOW)
    ]


class _QuietImport(importlib.abc.MetaPathFinder):
    """Imports TensorFlow without what its C++ side tells meanwhile.

    TensorFlow 2.21 tells it whatever the log level is.
    """

    def find_spec(self, name, path=None, target=None):
        if name != _TENSORFLOW:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = _closed_stderr()(execute)
        return spec


@contextlib.contextmanager
def _closed_stderr():
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
