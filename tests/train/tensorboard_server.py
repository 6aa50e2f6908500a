"""TensorBoard on a folder, at a free port of this machine only."""

import contextlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator


@contextlib.contextmanager
def serve(folder: pathlib.Path) -> Iterator[str]:
    """Starts `tensorboard` and yields its URL, which ends in a slash."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tensorboard.main",
            f"--logdir={folder}",
            "--host=127.0.0.1",
            "--port=0",
            "--reload_interval=1",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        told = []
        for line in process.stderr:
            told.append(line)
            if found := re.search(r"at (http://127\.0\.0\.1:\d+/)", line):
                break
        assert found, "".join(told)
        yield found[1]
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()


def ask(url: str, route: str, **query: str) -> object:
    """The JSON of a data route, such as "scalars/tags"."""
    query = urllib.parse.urlencode(query)
    with urllib.request.urlopen(f"{url}data/plugin/{route}?{query}") as reply:
        return json.load(reply)
