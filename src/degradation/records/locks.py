"""Locks that the kernel keeps: they end with the process that holds them, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from degradation.durable_io import open_file

NO_TIMEOUT = -1.0  # seconds to wait for a lock, in filelock's words


class LockTimeout(Exception):
    """Another process holds the lock."""

    def __str__(self) -> str:
        return "another process is at it"


@contextmanager
def hold(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock; wait for it so many seconds. Raises Held."""
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
    """Asked by a shared lock, so that two who ask do not see each other. What is no lock is held by nobody."""
    try:
        with open_file(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
