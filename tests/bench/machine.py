"""What figures are measured on: they mean little without it."""

import os
import pathlib
import platform
import re
from importlib import metadata

# What TensorFlow's and oneDNN's kernels make use of.
_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile")


def description() -> str:
    """Cores, processor with the flags that matter, versions: one line."""
    versions = ", ".join(
        f"{name} {metadata.version(name.lower())}"
        for name in ("TensorFlow", "Keras", "NumPy")
    )
    return f"{processor()}; Python {platform.python_version()}, {versions}"


def processor() -> str:
    """Cores, and the processor with the flags that matter."""
    return f"{len(os.sched_getaffinity(0))} cores of {_name_and_flags()}"


def _name_and_flags() -> str:
    file = pathlib.Path("/proc/cpuinfo")
    if not file.exists():
        return platform.processor() or platform.machine()
    text = file.read_text()
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*: (.+)$", text, re.MULTILINE)
    has = flags[1].split() if flags else []
    found = " ".join(flag for flag in _FLAGS if flag in has)
    return f"{name[1] if name else platform.machine()} ({found})"
