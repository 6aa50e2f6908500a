"""Runs an entry point: flags in, one line for a mistake, an exit code out."""

import contextlib
import errno
import io
import logging as stdlib_logging
import os
import pathlib
import signal
import stat
import sys
from collections.abc import Callable, Iterable, Sequence

from absl import app, flags, logging

from data.run import environment, flag_fields
from data.run.csv_table import on_one_line
from data.run.errors import Stopped, UserError

_HELP = {"--help", "-help", "-h", "-?", "--helpshort"}

EXIT_USER_ERROR = 2
EXIT_DISK_FULL = 3
EXIT_OUT_OF_MEMORY = 4
# EX_TEMPFAIL of sysexits.h: a scheduler may start the same command again.
EXIT_STOPPED = 75
EXIT_INTERRUPTED = 130

# What a path may be that the flags name: not to be used, too long, ...
_NOT_OUR_FAULT = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.EIO,
    errno.ESTALE,
)
# By name: of Python, NumPy, and TensorFlow, which need not be loaded.
_OUT_OF_MEMORY = {"MemoryError", "_ArrayMemoryError", "ResourceExhaustedError"}
_MOST_FLAGFILE_BYTES = 1 << 20


class _Terminated(KeyboardInterrupt):
    """SIGTERM came, as Ctrl-C may."""


def run(main: Callable[[], None]) -> None:
    """Parses the flags and calls `main`.

    `main`, not the file that it stands in, imports TensorFlow: the
    environment is prepared first (see `environment.prepare`).

    A `UserError`, a job that was stopped, a full disk, too little memory,
    SIGTERM or Ctrl-C ends the process with one line on stderr and an exit code
    of its own; any other exception is a defect of ours and keeps its
    traceback. Whatever the locale, files and streams are in UTF-8; what a
    terminal would act upon is shown escaped.
    """
    environment.use_utf8()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with contextlib.suppress(AttributeError):  # Replaced by another kind.
            stream.reconfigure(errors="backslashreplace")

    def checked(argv: list[str]) -> None:
        _plain_log()
        environment.import_less()
        for sentence in environment.prepare():
            logging.warning("%s", sentence)
        try:
            if len(argv) > 1:
                raise UserError(
                    f"unexpected argument {argv[1]!r}: every option is a "
                    "flag of the form --name=value (see --help)"
                )
            stdout = _Escaping(sys.stdout or io.StringIO())  # Or closed.
            with contextlib.redirect_stdout(stdout):
                main()
                sys.stdout.flush()
        except UserError as error:
            _exit(str(error), EXIT_USER_ERROR)
        except Stopped as stopped:
            _exit(str(stopped), EXIT_STOPPED, "stopped")
        except _Terminated:
            raise
        except KeyboardInterrupt:
            _exit("interrupted; run again to go on", EXIT_INTERRUPTED)
        except Exception as error:
            file = getattr(error, "filename", None)
            if file and getattr(error, "errno", None) in _NOT_OUR_FAULT:
                _exit(
                    f"{file}: {error.strerror}; name "
                    "another path, or give the right to use it",
                    EXIT_USER_ERROR,
                )
            what, *_ = str(error).strip().splitlines() or [type(error).__name__]
            if _is_disk_full(error):
                _exit(
                    f"no space left on the disk ({what}); free some and run "
                    "again: what is finished is kept",
                    EXIT_DISK_FULL,
                )
            if type(error).__name__ in _OUT_OF_MEMORY:
                _exit(
                    f"out of memory ({what}); run again with less at once, "
                    "such as smaller batches: what is finished is kept",
                    EXIT_OUT_OF_MEMORY,
                )
            raise

    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        app.run(checked, flags_parser=_parse_flags)
    except _Terminated:
        told = "stopped by SIGTERM; run again to go on"
        _exit(told, EXIT_STOPPED, "stopped")
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number, frame) -> None:
    signal.signal(number, signal.SIG_DFL)  # A second one kills.
    raise _Terminated


class _Escaping:
    """A stream to a terminal, on which names have no power."""

    def __init__(self, stream):
        self._stream = stream

    def write(self, text: str) -> None:
        shown = "\n".join(map(on_one_line, text.split("\n")))
        self._use(self._stream.write, shown)

    def flush(self) -> None:
        self._use(self._stream.flush)

    def _use(self, call: Callable, *arguments) -> None:
        try:
            call(*arguments)
        except BrokenPipeError:  # Nobody wants to read the rest, as of `head`.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str):
        return getattr(self._stream, name)


class _LineFormatter(stdlib_logging.Formatter):
    """The same for a log."""

    def formatMessage(self, record: stdlib_logging.LogRecord) -> str:
        return on_one_line(super().formatMessage(record))


def _plain_log() -> None:
    """Time and message; what TensorFlow itself logs is left out."""
    logging.set_verbosity(logging.INFO)
    handler = logging.get_absl_handler()
    handler.setFormatter(_LineFormatter("%(asctime)s %(message)s", "%H:%M:%S"))
    handler.addFilter(
        lambda record: (
            "site-packages" not in record.pathname
            or record.levelno >= stdlib_logging.ERROR
        )
    )


def _parse_flags(argv: list[str]) -> list[str]:
    if _HELP & set(argv[1:]):
        about = sys.modules["__main__"].__doc__ or ""
        for config_class in flag_fields.defined:
            print(flag_fields.help_page(config_class, about))
        sys.exit(0)
    try:
        _check_flagfiles(argv[1:])
        # Not `app.parse_flags_with_usage`, which tells in two lines.
        return flags.FLAGS(argv)
    except (flags.Error, UserError) as error:
        _exit(str(error), EXIT_USER_ERROR)


def _check_flagfiles(
    arguments: Iterable[str], inside: Sequence[str] = ()
) -> None:
    """Looks at flagfiles, and those that they name, before they are read.

    Raises:
      UserError: one is missing, or no short text.
    """
    words = iter(arguments)
    for word in words:
        name, equals, file = word.strip().partition("=")
        if name not in ("--flagfile", "-flagfile"):
            continue
        file = os.path.expanduser(file if equals else next(words, ""))
        if not file or file in inside:
            continue
        try:
            status = os.stat(file)
            if stat.S_ISFIFO(status.st_mode):
                continue  # Of a shell's <(...), which can be read only once.
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is not a file")
            if status.st_size > _MOST_FLAGFILE_BYTES:
                raise ValueError(f"it has {status.st_size} bytes")
            text = pathlib.Path(file).read_text(encoding="utf-8")
            if "\0" in text:
                raise ValueError("it is no text")
        except (OSError, ValueError) as error:
            what = getattr(error, "strerror", None) or str(error)
            raise UserError(
                f"--flagfile={file} cannot be read ({what}): name a text with "
                "a flag on each line"
            ) from error
        _check_flagfiles(text.splitlines(), [*inside, file])


def _is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _exit(message: str, code: int, kind: str = "error") -> None:
    line = on_one_line(" ".join(message.split()))
    print(f"{kind}: {line}", file=sys.stderr)
    sys.exit(code)
