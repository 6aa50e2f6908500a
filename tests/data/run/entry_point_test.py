import errno

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
    ],
)
def test_a_wrong_argument_is_one_line(
    exits, argument, message, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.flags").write_text("--verbosity=0\n--typo=1\n")
    code, [line] = exits(lambda: None, argument)
    assert code == 2 and line.startswith("error: ") and message in line


def test_a_defect_keeps_its_traceback(exits):
    with pytest.raises(ZeroDivisionError):
        exits(lambda: 1 / 0)
