"""One writer an output: a lock that ends with the process that holds it.

The kernel keeps it (`flock`), so a killed process leaves none behind; the
file `.lock`, which stays, only says who holds it. An output that is a file has
one beside it, which goes with the lock. On network file systems it reaches
other machines where the mount has locking (NFS unless `nolock`); where there is
none a warning is logged and nothing is locked.
"""

import atexit
import contextlib
import errno
import fcntl
import os
import pathlib
import platform
from collections.abc import Iterator

from absl import logging

from data.run.atomic_write import remove_leftovers
from data.run.errors import UserError

LOCK_FILE = ".lock"

# Open lock files by real path of their folder.
_held: dict[str, int] = {}


def take(folder: str | os.PathLike) -> None:
    """Locks a folder or file until `release`, or until this process ends.

    Raises:
      UserError: another process has locked it.
    """
    if not _lock(folder, fcntl.LOCK_NB):
        raise UserError(
            f"{folder} is being written by {_holder(folder)}: wait for it, "
            "stop it, or choose another --output"
        )


def take_file(output: str) -> None:
    """The same for the file that --output names; sweeps what is left of it.

    Raises:
      UserError: it is a folder, or another process has locked it.
    """
    if os.path.isdir(output):
        raise UserError(f"--output={output} is a folder: name a file")
    if os.path.isdir(os.path.dirname(os.path.abspath(output))):
        take(output)
        remove_leftovers(pathlib.Path(output))


def release(folder: str | os.PathLike) -> None:
    """Unlocks a folder or file that this process may have locked."""
    descriptor = _held.pop(os.path.realpath(folder), None)
    if descriptor is not None:
        os.ftruncate(descriptor, 0)
        if not os.path.isdir(folder):
            with contextlib.suppress(OSError):
                os.unlink(_lock_file(folder))
        os.close(descriptor)


@contextlib.contextmanager
def held(folder: str | os.PathLike) -> Iterator[None]:
    """Keeps a folder locked; waits while another process has locked it."""
    was_ours = os.path.realpath(folder) in _held
    if not _lock(folder, fcntl.LOCK_NB):
        logging.info("waiting for %s, which writes %s", _holder(folder), folder)
        _lock(folder)
    try:
        yield
    finally:
        if not was_ours:
            release(folder)


def _lock(folder: str | os.PathLike, how: int = 0) -> bool:
    """Whether it is locked now; also true where there are no locks."""
    place = os.path.realpath(folder)
    if place in _held:
        return True
    file = _lock_file(folder)
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        # Nothing will be written there; whoever tries is told.
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return True
        raise
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError as error:
        os.close(descriptor)
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        logging.warning(
            "%s cannot be locked (%s): start no second job on it",
            folder,
            error.strerror,
        )
        return True
    if not os.path.isdir(folder) and not _is_at(descriptor, file):
        os.close(descriptor)  # Its holder has removed it meanwhile.
        return _lock(folder, how)
    _held[place] = descriptor
    atexit.register(release, place)
    os.ftruncate(descriptor, 0)
    text = f"process {os.getpid()} on {platform.node()}"
    os.pwrite(descriptor, text.encode(), 0)
    return True


def _is_at(descriptor: int, file: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(file))
    except FileNotFoundError:
        return False


def _lock_file(output: str | os.PathLike) -> str:
    if os.path.isdir(output):
        return os.path.join(output, LOCK_FILE)
    folder, name = os.path.split(os.path.realpath(output))
    return os.path.join(folder, f"{LOCK_FILE}-{name}")


def _holder(folder: str | os.PathLike) -> str:
    with contextlib.suppress(FileNotFoundError):
        text = pathlib.Path(_lock_file(folder)).read_text("utf-8")
        if text:
            return text
    return "another process"
