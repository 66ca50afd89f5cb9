"""What the processes of a sweep have in common: where a job's output goes, and how its parent is asked to stop."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


def redirect_output(log: str) -> str | None:
    """stdout and stderr of this process go there. Where that cannot be they go nowhere, and why not is returned."""
    told = None
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as problem:
        told = f"{log}: cannot be written ({problem.strerror})"
        descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    return told


@contextmanager
def record_signals() -> Iterator[list[int]]:
    """Inside, SIGINT and SIGTERM do nothing but get into the list."""
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {kind: signal.signal(kind, lambda signum, _: noted.append(signum)) for kind in kinds}
    try:
        yield noted
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
