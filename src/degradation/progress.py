"""Progress of the run that this process trains, and messages for the user.

A launcher that shows a sweep on a terminal connects a receiver in each job's process. Without one,
progress is discarded and messages only go to the log. This module imports neither the rest of the
project nor a launcher.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

log = logging.getLogger(__name__)


class Receiver(Protocol):
    """Where progress and messages go, for example the pipe to the launcher's process."""

    def report_progress(self, done: int, total: int) -> None:
        """Receive that `done` of `total` steps are finished; called after every step."""
        ...

    def report_error(self, percent: float) -> None:
        """Receive the training error of an evaluation."""
        ...

    def notify(self, message: str) -> None:
        """Show one line to the user."""
        ...


_receivers: list[Receiver] = []  # at most one


def connect(receiver: Receiver) -> None:
    """Send this process's progress and messages to `receiver`, replacing an earlier one."""
    _receivers[:] = [receiver]


@contextmanager
def connected(receiver: Receiver) -> Iterator[None]:
    """Within the context, send this process's progress and messages to `receiver`."""
    before = [*_receivers]
    connect(receiver)
    try:
        yield
    finally:
        _receivers[:] = before


def report_progress(done: int, total: int) -> None:
    """Report that `done` of `total` steps are finished.

    A step is an iteration, a probe or a point of a loss landscape.
    """
    for receiver in _receivers:
        receiver.report_progress(done, total)


def report_error(percent: float) -> None:
    """Report the training error of an evaluation, in percent."""
    for receiver in _receivers:
        receiver.report_error(percent)


def notify(message: str) -> None:
    """Log one line as a warning, and show it on the terminal of the sweep."""
    log.warning("%s", message)
    for receiver in _receivers:
        receiver.notify(message)
