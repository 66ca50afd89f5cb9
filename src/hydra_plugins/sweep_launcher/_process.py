"""What all processes of a sweep need: redirected output, and recorded signals."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def redirect_output(log: str) -> str | None:
    """Append this process's stdout and stderr to the file `log`.

    If the file cannot be opened, the output is discarded.

    Returns:
        None, or why the file cannot be written.
    """
    problem = None
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        problem = f"{log}: cannot be written ({error.strerror})"
        descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    return problem


def summarise_error(error: BaseException) -> str:
    """Return the first line of an error's message; its type's name if it has none.

    The message of SystemExit is only the exit status.
    """
    if isinstance(error, SystemExit) and not isinstance(error.code, str):
        return f"its process ended with exit status {error.code or 0}"
    return (str(error) or type(error).__name__).splitlines()[0]


@contextmanager
def record_signals() -> Iterator[list[int]]:
    """Within the context, append SIGINT and SIGTERM to the yielded list instead of terminating.

    Outside the main thread, where no handler can be set, the list stays empty.
    """
    recorded: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield recorded
        return

    def record(signum: int, _frame: FrameType | None) -> None:
        recorded.append(signum)

    earlier_handlers = {
        signum: signal.signal(signum, record) for signum in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield recorded
    finally:
        for signum, handler in earlier_handlers.items():
            signal.signal(signum, handler)
