"""The job's end of the pipe to the pool: progress, and messages for the user."""

import contextlib
import time
from multiprocessing.connection import Connection

REPORT_INTERVAL_S = 0.2  # at most one progress report per job in this time


class Reporter:
    """Sends a job's progress and messages to the pool's process.

    The pool passes a reporter to its `connect` function in each job's process; that function makes
    the project's own code call it. So neither this package nor the project imports the other.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.last_report = 0.0  # time.monotonic()

    def report_progress(self, done: int, total: int) -> None:
        """Report that `done` of `total` steps are finished; drop calls in quick succession."""
        now = time.monotonic()
        if now - self.last_report < REPORT_INTERVAL_S:
            return
        self.last_report = now
        self._send("progress", done, total)

    def report_error(self, percent: float) -> None:
        """Report the latest error."""
        self._send("error", percent)

    def notify(self, message: str) -> None:
        """Print one line on the pool's terminal."""
        self._send("message", message)

    def _send(self, *values: object) -> None:
        with contextlib.suppress(OSError):  # the parent has ended, and a signal soon ends the job
            self.connection.send(values)
