"""`.ci/install`: what a machine lacks is told in one line."""

import os
import re
import subprocess

import pytest

from tests import ROOT

INSTALL = ROOT / ".ci" / "install"

# Answers as a Python of some version would; its pip notes what it is asked.
PYTHON = """#!/bin/sh
case "$*" in
  *version_info*) echo {version} ;;
  *"import ensurepip"*) exit {ensurepip} ;;
  *"-m venv"*) for venv; do :; done; mkdir -p "$venv/bin"; cp "$0" "$venv/bin/python" ;;
  *"-m pip"*) echo "$*" >> "{log}"; exit {pip} ;;
esac
"""  # noqa: E501


@pytest.fixture
def install(tmp_path):
    """Calls the script; gives exit code, lines of stderr, calls of pip."""

    def call(version="3.13", ensurepip=0, pip=0, cpu="fpu avx", free_kb=9e6):
        log = tmp_path / "pip.log"
        log.write_text("")
        tools = tmp_path / "tools"
        tools.mkdir(exist_ok=True)
        df = "echo header\necho disk 1 1 {:.0f} 1% /".format(free_kb)
        for name, text in (
            ("python", PYTHON.format(**locals())),
            ("df", f"#!/bin/sh\n{df}\n"),
            ("uname", "#!/bin/sh\necho x86_64\n"),
        ):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        (tmp_path / "cpuinfo").write_text(f"flags : {cpu}\n")
        result = subprocess.run(
            [INSTALL, tools / "python", tmp_path / "venv", "some.txt"],
            env={
                "PATH": f"{tools}:{os.environ['PATH']}",
                "CPUINFO": str(tmp_path / "cpuinfo"),
            },
            capture_output=True,
            text=True,
        )
        calls = log.read_text().splitlines()
        return result.returncode, result.stderr.splitlines(), calls

    return call


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_packages_are_installed_and_no_environment_is_made_twice(
    install, tmp_path, version
):
    once = ["-m pip install --quiet --requirement some.txt"]
    assert install(version) == (0, [], once)
    (tmp_path / "venv" / "kept").touch()
    assert install(version, free_kb=0) == (0, [], once)
    assert (tmp_path / "venv" / "kept").exists()


@pytest.mark.parametrize(
    "lacking, told",
    [
        ({"version": "3.10"}, "3.13 is needed, {python} is 3.10: install one"),
        ({"version": "3.14"}, "3.13 is needed, {python} is 3.14: install one"),
        ({"version": ""}, "{python} is no Python that runs: install one"),
        ({"ensurepip": 1}, "apt install python3.13-venv"),
        ({"cpu": "fpu sse2"}, "this processor has no AVX"),
        ({"free_kb": 3e6}, "need 4 GB of disk, 3000000 kB are free"),
        ({"pip": 1}, "HTTPS_PROXY"),
    ],
)
def test_what_is_lacking_is_one_line(install, tmp_path, lacking, told):
    code, [line], _ = install(**lacking)
    assert code == 1 and line.startswith("error: ")
    assert told.format(python=tmp_path / "tools" / "python") in line


def test_the_makefile_names_files_that_are_there():
    named = re.findall(r"tests/[\w/.]+", (ROOT / "Makefile").read_text())
    assert named and all((ROOT / name).exists() for name in named)
