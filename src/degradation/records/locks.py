"""Locks that the kernel keeps: they end with the process that holds them, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

AS_LONG_AS_IT_TAKES = -1.0  # seconds to wait for a lock, in filelock's words


class Held(Exception):
    """Another process holds the lock."""


@contextmanager
def hold(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock; wait for it so many seconds. Raises Held."""
    try:
        with FileLock(path, timeout=timeout):
            yield
    except Timeout:
        raise Held from None


def is_held(path: Path) -> bool:
    """Asked by a shared lock, so that two who ask do not see each other."""
    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
