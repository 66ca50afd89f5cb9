"""Locks that the kernel releases when the process that holds them ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from degradation.durable_io import open_file

NO_TIMEOUT = -1.0  # as a timeout in seconds: wait until the lock is free (filelock's convention)


class LockTimeout(Exception):
    """Another process held the lock for longer than the timeout."""

    def __str__(self) -> str:
        return "another process holds the lock"


@contextmanager
def hold(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file `path`. Raises LockTimeout if it is not free within `timeout` seconds."""
    lock = FileLock(path, timeout=timeout)
    try:
        lock.acquire()
    except Timeout:
        raise LockTimeout from None
    try:
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock file. A path that is not a lock file counts as free.

    The test takes a shared lock for an instant, so several processes can test at once and do not
    take each other for holders.
    """
    try:
        with open_file(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
