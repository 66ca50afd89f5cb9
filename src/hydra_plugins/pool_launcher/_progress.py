"""How far a job of the pool is, and what it tells: by its pipe to the parent."""

import contextlib
import logging
import time
from multiprocessing.connection import Connection

log = logging.getLogger(__name__)
INTERVAL = 0.2  # seconds between two reports of a job


class _Reporter:
    """A job's end of the pipe to its parent; silent outside a pool."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.last = 0.0

    def connect(self, connection: Connection) -> None:
        self.connection = connection

    def report(self, iteration: int, total: int) -> None:
        now = time.monotonic()
        if now - self.last < INTERVAL:
            return
        self.last = now
        self._send("progress", iteration, total)

    def tell(self, message: str) -> None:
        """A line for whoever watches the sweep; outside a pool it goes to the log alone."""
        log.warning("%s", message)
        self._send("told", message)

    def _send(self, *values: object) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):  # the parent is gone; the job is told by a signal
                self.connection.send(values)


_reporter = _Reporter()  # a process runs one job
connect = _reporter.connect
report_progress = _reporter.report
tell = _reporter.tell
