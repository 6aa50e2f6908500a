"""What TensorFlow and Keras read from the shell, once, as they are imported."""

import contextlib
import importlib.abc
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator

# As it was: for other programs of ours that are started from here.
SHELL = dict(os.environ)

_TENSORFLOW = "tensorflow"
_UTF8 = "PYTHONUTF8"
# What Keras and TensorFlow import, if it is there, for wrappers, plots and
# converters of theirs that no program of ours calls.
_NOT_FOR_THEM = {"jax", "matplotlib", "pandas", "sklearn"}


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
        _import_within(_closed_stderr, _TENSORFLOW)
    return [
        f"{name}={value} of your shell is not followed: this runs on "
        f"{_TENSORFLOW}, with Keras' own defaults"
        for name, value in shell.items()
        if name != "KERAS_HOME"
        and (name, value) != ("KERAS_BACKEND", _TENSORFLOW)
    ]


def import_less() -> None:
    """Has Keras and TensorFlow imported without packages that are optional.

    To be called by a program, before either is imported: that takes half as
    long then. The packages themselves can be imported before and after.
    """
    for name in _TENSORFLOW, "keras":
        _import_within(_left_out_packages, name)


def _import_within(
    context: Callable[[], contextlib.AbstractContextManager], name: str
) -> None:
    if name not in sys.modules:
        sys.meta_path.insert(0, _ImportedWithin(context, name))


class _ImportedWithin(importlib.abc.MetaPathFinder):
    """Has a module imported, the first time, within a context."""

    def __init__(self, context, name):
        self._context = context
        self._name = name

    def find_spec(self, name, path=None, target=None):
        if name != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            execute = spec.loader.exec_module

            def execute_within(module):
                with self._context():
                    execute(module)

            spec.loader.exec_module = execute_within
        return spec


@contextlib.contextmanager
def _closed_stderr() -> Iterator[None]:
    """TensorFlow 2.21 tells what its C++ side tells whatever the log level."""
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


class _Missing(importlib.abc.MetaPathFinder):
    """Finds some packages missing."""

    def find_spec(self, name, path=None, target=None):
        if name in _NOT_FOR_THEM:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


@contextlib.contextmanager
def _left_out_packages() -> Iterator[None]:
    missing = _Missing()
    sys.meta_path.insert(0, missing)
    try:
        yield
    finally:
        sys.meta_path.remove(missing)
