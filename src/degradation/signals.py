"""Turn SIGTERM and Ctrl-C into a stop request, which a run checks between iterations."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from hydra.errors import CompactHydraException


class Interrupted(CompactHydraException):
    """A signal stopped the run, after its checkpoint was saved."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


class StopRequest:
    """The signal that was received, or None. A run checks it when its state is complete."""

    signum: int | None = None


@contextmanager
def catch_stop_signals() -> Iterator[StopRequest]:
    """Within this context, SIGTERM and Ctrl-C set the stop request and do nothing else.

    A signal that is ignored stays ignored: the jobs of a pool ignore Ctrl-C, and the pool stops
    them by SIGTERM. Only the main thread can handle signals; in others, no stop is requested.
    """
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request_stop(signum: int, _frame: FrameType | None) -> None:
        stop.signum = signum

    previous = {}
    for signum in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            previous[signum] = signal.signal(signum, request_stop)
    try:
        yield stop
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
