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
_NO_LOCKS_HERE = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# Nothing will be written there; whoever tries is told.
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

# Open lock files by real path of their folder.
_held: dict[str, int] = {}


def take(folder: str | os.PathLike) -> None:
    """Locks a folder until `release`, or until this process ends.

    Raises:
      UserError: another process has locked it.
    """
    if not _is_ours(folder) and not _acquire(folder, wait=False):
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
    if _is_ours(folder):
        yield
        return
    if not _acquire(folder, wait=False):
        logging.info("waiting for %s, which writes %s", _holder(folder), folder)
        _acquire(folder, wait=True)
    try:
        yield
    finally:
        release(folder)


def _acquire(folder: str | os.PathLike, wait: bool) -> bool:
    """Whether it is locked now; also true where there are no locks."""
    try:
        descriptor = os.open(_file(folder), os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError as error:
        os.close(descriptor)
        if error.errno not in _NO_LOCKS_HERE:
            raise
        logging.warning(
            "%s cannot be locked (%s): start no second job on it",
            folder,
            error.strerror,
        )
        return True
    _held[os.path.realpath(folder)] = descriptor
    os.ftruncate(descriptor, 0)
    text = f"process {os.getpid()} on {platform.node()}"
    os.pwrite(descriptor, text.encode(), 0)
    return True


def _is_ours(folder: str | os.PathLike) -> bool:
    return os.path.realpath(folder) in _held


def _holder(folder: str | os.PathLike) -> str:
    return _file(folder).read_text(encoding="utf-8") or "another process"


def _file(folder: str | os.PathLike) -> pathlib.Path:
    return pathlib.Path(folder, LOCK_FILE)


@atexit.register
def _release_all() -> None:
    for folder in list(_held):
        release(folder)
