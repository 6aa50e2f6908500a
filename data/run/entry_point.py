"""Runs an entry point: flags in, one line for a mistake, an exit code out."""

import errno
import logging as stdlib_logging
import sys
from collections.abc import Callable

from absl import app, flags, logging

from data.run import environment, flag_fields
from data.run.errors import Stopped, UserError

_HELP = {"--help", "-help", "-h", "-?", "--helpshort"}

EXIT_USER_ERROR = 2
EXIT_DISK_FULL = 3
# EX_TEMPFAIL of sysexits.h: a scheduler may start the same command again.
EXIT_STOPPED = 75
EXIT_INTERRUPTED = 130


def run(main: Callable[[], None], trains: bool = False) -> None:
    """Parses the flags and calls `main`.

    `main`, not the file that it stands in, imports TensorFlow: the
    environment is prepared first (see `environment.prepare`, for `trains`
    too).

    A `UserError`, a job that was stopped, a full disk or Ctrl-C ends the
    process with one line on stderr and an exit code of its own; any other
    exception is a defect of ours and keeps its traceback.
    """

    def checked(argv: list[str]) -> None:
        _plain_log()
        for sentence in environment.prepare(trains):
            logging.warning("%s", sentence)
        try:
            if len(argv) > 1:
                raise UserError(
                    f"unexpected argument {argv[1]!r}: every option is a "
                    "flag of the form --name=value (see --help)"
                )
            main()
        except UserError as error:
            _exit(str(error), EXIT_USER_ERROR)
        except Stopped as stopped:
            _exit(str(stopped), EXIT_STOPPED, "stopped")
        except KeyboardInterrupt:
            _exit("interrupted; run again to go on", EXIT_INTERRUPTED)
        except Exception as error:
            if not _is_disk_full(error):
                raise
            what, *_ = str(error).strip().splitlines() or [type(error).__name__]
            _exit(
                f"no space left on the disk ({what}); free some and run "
                "again: what is finished is kept",
                EXIT_DISK_FULL,
            )

    app.run(checked, flags_parser=_parse_flags)


def _plain_log() -> None:
    """Time and message; what TensorFlow itself logs is left out."""
    logging.set_verbosity(logging.INFO)
    handler = logging.get_absl_handler()
    handler.setFormatter(
        stdlib_logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    )
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
        # Not `app.parse_flags_with_usage`, which tells in two lines.
        return flags.FLAGS(argv)
    except (flags.Error, OSError) as error:  # OSError: of a flagfile.
        _exit(str(error), EXIT_USER_ERROR)


def _is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC:
            return True
        if "No space left on device" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _exit(message: str, code: int, kind: str = "error") -> None:
    print(f"{kind}: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(code)
