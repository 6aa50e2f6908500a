"""One writer a folder: a lock that ends with the process that holds it.

The kernel keeps it (`flock`), so a killed process leaves none behind; the
file `.lock`, which stays, only says who holds it. On network file systems it
reaches other machines where the mount has locking (NFS unless `nolock`);
where there is none a warning is logged and nothing is locked.
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

from data.run.errors import UserError

LOCK_FILE = ".lock"

# Open lock files by real path of their folder.
_held: dict[str, int] = {}


def take(folder: str | os.PathLike) -> None:
    """Locks a folder until `release`, or until this process ends.

    Raises:
      UserError: another process has locked it.
    """
    if not _lock(folder, fcntl.LOCK_NB):
        raise UserError(
            f"{folder} is being written by {_holder(folder)}: wait for it, "
            "stop it, or choose another --output"
        )


def release(folder: str | os.PathLike) -> None:
    """Unlocks a folder that this process may have locked."""
    descriptor = _held.pop(os.path.realpath(folder), None)
    if descriptor is not None:
        os.ftruncate(descriptor, 0)
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
    file = os.path.join(folder, LOCK_FILE)
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
    _held[place] = descriptor
    atexit.register(release, place)
    os.ftruncate(descriptor, 0)
    text = f"process {os.getpid()} on {platform.node()}"
    os.pwrite(descriptor, text.encode(), 0)
    return True


def _holder(folder: str | os.PathLike) -> str:
    text = pathlib.Path(folder, LOCK_FILE).read_text("utf-8")
    return text or "another process"
