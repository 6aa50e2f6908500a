import errno

import pytest
from absl import app, flags

from data.run import entry_point
from data.run.errors import UserError


@pytest.fixture
def exits(monkeypatch, capsys):
    """Runs `main` with arguments: exit code, stdout, lines of stderr."""

    def call(main, *arguments):
        monkeypatch.setattr("sys.argv", ["program", *arguments])
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
        return code, out, err.splitlines()

    was_parsed = flags.FLAGS.is_parsed()
    yield call
    if not was_parsed:
        flags.FLAGS.unparse_flags()


def test_main_is_called_once(exits):
    calls = []
    assert exits(lambda: calls.append(1)) == (0, "", [])
    assert calls == [1]


def test_a_user_error_is_one_line(exits):
    def main():
        raise UserError("the file\n  is wrong")

    assert exits(main) == (2, "", ["error: the file is wrong"])


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--no_such_flag=1", "Unknown command line flag 'no_such_flag'"),
        ("--verbosity=loud", "flag --verbosity=loud"),
        ("--flagfile=no/such.flags", "no/such.flags"),
        ("stray", "unexpected argument 'stray'"),
    ],
)
def test_a_wrong_argument_is_one_line(exits, argument, message):
    code, out, [line] = exits(lambda: None, argument)
    assert code == 2 and out == ""
    assert line.startswith("error: ") and message in line


def test_an_unknown_flag_in_a_flagfile_is_one_line(exits, tmp_path):
    (tmp_path / "a.flags").write_text("--verbosity=0\n--typo=1\n")
    code, _, [line] = exits(lambda: None, f"--flagfile={tmp_path}/a.flags")
    assert code == 2 and "'typo'" in line


def test_a_full_disk_is_one_line_also_as_a_cause(exits):
    def main():
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("cannot write") from error

    code, _, [line] = exits(main)
    assert code == 3 and "no space left on the disk" in line


def test_an_interrupt_is_one_line(exits):
    def main():
        raise KeyboardInterrupt

    assert exits(main) == (130, "", ["error: interrupted; run again to go on"])


def test_a_defect_keeps_its_traceback(exits):
    def main():
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        exits(main)
