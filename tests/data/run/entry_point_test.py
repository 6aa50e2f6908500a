import contextlib
import errno
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from absl import app, flags

from data.run import entry_point
from data.run.errors import Stopped, UserError


@pytest.fixture
def exits(monkeypatch, capsys):
    """Runs `main` with arguments: exit code, lines of stderr."""

    def call(main, *arguments):
        # What stays of `app.run`: parse, call main.
        monkeypatch.setattr(
            app,
            "run",
            lambda main, flags_parser: main(
                flags_parser(["program", *arguments])
            ),
        )
        code = 0
        try:
            entry_point.run(main)
        except SystemExit as error:
            code = error.code
        out, err = capsys.readouterr()
        assert out == ""
        return code, err.splitlines()

    was_parsed = flags.FLAGS.is_parsed()
    yield call
    if not was_parsed:
        flags.FLAGS.unparse_flags()


def test_main_is_called_once(exits):
    calls = []
    assert exits(lambda: calls.append(1)) == (0, [])
    assert calls == [1]


def full_disk():
    told = RuntimeError("cannot write\nbecause")
    told.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    return told


@pytest.mark.parametrize(
    "error, code, line",
    [
        (UserError("the file\n  is wrong"), 2, "error: the file is wrong"),
        (Stopped("saved"), 75, "stopped: saved"),
        (
            full_disk(),
            3,
            "error: no space left on the disk (cannot write); free some and "
            "run again: what is finished is kept",
        ),
        (
            MemoryError("Unable to allocate 9 TiB"),
            4,
            "error: out of memory (Unable to allocate 9 TiB); run again with "
            "less at once, such as smaller batches: what is finished is kept",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/a/b"),
            2,
            "error: /a/b: Permission denied; name another path, or give the "
            "right to use it",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted; run again to go on"),
    ],
)
def test_what_ends_a_job_early_is_one_line(exits, error, code, line):
    def main():
        raise error

    assert exits(main) == (code, [line])


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--no_such_flag=1", "Unknown command line flag 'no_such_flag'"),
        ("--verbosity=loud", "flag --verbosity=loud"),
        ("--flagfile=no/such.flags", "no/such.flags"),
        ("--flagfile=typo.flags", "'typo'"),
        ("stray", "unexpected argument 'stray'"),
        ("--flagfile=/dev/zero", "/dev/zero cannot be read (it is not a file)"),
        ("--flagfile=.", "--flagfile=. cannot be read (it is not a file)"),
        ("--flagfile=binary", "--flagfile=binary cannot be read ('utf-8'"),
        ("--flagfile=zeros", "--flagfile=zeros cannot be read (it is no text"),
        ("--flagfile=long", "--flagfile=long cannot be read (it has 1048577"),
        ("--flagfile=outer", "--flagfile=/dev/zero cannot be read"),
    ],
)
def test_a_wrong_argument_is_one_line(
    exits, argument, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.flags").write_text("--verbosity=0\n--typo=1\n")
    (tmp_path / "binary").write_bytes(b"\x93\xff")
    (tmp_path / "zeros").write_bytes(bytes(9))
    (tmp_path / "long").write_text(" " * (1024**2 + 1))
    # A circle is no obstacle.
    (tmp_path / "outer").write_text("--flagfile=outer\n --flagfile=/dev/zero\n")
    code, [line] = exits(lambda: None, argument)
    assert code == 2 and line.startswith("error: ") and message in line


def test_flagfiles_may_name_others_and_be_pipes(exits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outer").write_text("# \xe9\n--flagfile=inner\n", "utf-8")
    (tmp_path / "inner").write_text("--verbosity=1\n")
    assert exits(lambda: None, "--flagfile", "outer") == (0, [])
    end, other = os.pipe()
    os.write(other, b"--verbosity=0\n")
    os.close(other)
    assert exits(lambda: None, f"--flagfile=/dev/fd/{end}") == (0, [])
    os.close(end)


def test_sigterm_is_a_stop_wherever_it_comes(exits):
    before = signal.getsignal(signal.SIGTERM)

    def main():
        with contextlib.suppress(Exception):  # As libraries do.
            os.kill(os.getpid(), signal.SIGTERM)

    told = "stopped: stopped by SIGTERM; run again to go on"
    assert exits(main) == (75, [told])
    assert signal.getsignal(signal.SIGTERM) == before


_NAMES = """
import sys
from absl import logging
from data.run import entry_point
from data.run.errors import UserError

NAME = "a\\x1b[31m\\u4e2d\\n\\udcff"

def main():
    print("out", NAME, flush=True)
    logging.info("log %s", NAME)
    print(sys.getfilesystemencoding(), open(__file__).encoding)
    raise UserError("error " + NAME)

entry_point.run(main)
"""


def _run_program(folder, text, command, **environment):
    program = folder / "program.py"
    program.write_text(text)
    path = {"PYTHONPATH": str(pathlib.Path(__file__).parents[3])}
    return subprocess.run(
        ["bash", "-c", command, sys.executable, str(program)],
        env=os.environ | path | environment,
        capture_output=True,
    )


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C.UTF-8"},
        # As in a Latin-1 locale, which few systems have.
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
def test_names_have_no_power_over_terminals_in_any_locale(locale, tmp_path):
    done = _run_program(tmp_path, _NAMES, '"$0" "$1"', **locale)
    character = r"\u4e2d" if "PYTHONIOENCODING" in locale else "\u4e2d"
    first, second, encodings = done.stdout.decode().splitlines()
    assert first == rf"out a\x1b[31m{character}"
    assert second == r"\xff" and encodings.lower() == "utf-8 utf-8"
    log, error = done.stderr.decode().splitlines()
    assert log.endswith(rf"log a\x1b[31m{character}\n\xff")
    assert error == rf"error: error a\x1b[31m{character} \xff"
    assert done.returncode == 2


def test_nobody_who_reads_the_rest_is_no_mistake(tmp_path):
    text = """
from data.run import entry_point
entry_point.run(lambda: print("x\\n" * 100000))
"""
    command = '"$0" "$1" | head -n 1; exit ${PIPESTATUS[0]}'
    done = _run_program(tmp_path, text, command)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x\n", b"")


def test_a_defect_keeps_its_traceback(exits):
    with pytest.raises(ZeroDivisionError):
        exits(lambda: 1 / 0)
