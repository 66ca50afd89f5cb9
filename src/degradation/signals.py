"""SIGTERM and Ctrl-C as a request that a run looks at between iterations, where its state is whole."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hydra.errors import CompactHydraException


class Interrupted(CompactHydraException):
    """The run was asked to stop by a signal; its checkpoint is saved."""

    def __init__(self, message: str, signum: int) -> None:
        super().__init__(message)
        self.signum = signum


class StopRequest:
    """Set by a signal, looked at between iterations, where the state is whole."""

    signum: int | None = None


@contextmanager
def catch_stop_signals() -> Iterator[StopRequest]:
    """SIGTERM and Ctrl-C ask for a stop. Where Ctrl-C is ignored, as in a pool's job, it stays so."""
    stop = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(signum: int, _: Any) -> None:
        stop.signum = signum

    kinds = [
        kind
        for kind in (signal.SIGTERM, signal.SIGINT)
        if signal.getsignal(kind) is not signal.SIG_IGN
    ]
    previous = {kind: signal.signal(kind, ask) for kind in kinds}
    try:
        yield stop
    finally:
        for kind, handler in previous.items():
            signal.signal(kind, handler)
