"""One line that shows the progress of training in a notebook, on a terminal or in a log."""

import sys
import time
from typing import Any

REFRESH_S = 0.2  # shortest time between two updates of the line


class ProgressLine:
    """Shows how many iterations are done: a receiver for `degradation.progress.connected`.

    In a notebook the line is a display that is replaced, so that only the last one is stored; on a
    terminal it is overwritten. Elsewhere only the last line is printed.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._updated_s = float("-inf")
        self._error = ""  # of the latest evaluation, as the end of the line
        self._is_terminal = sys.stdout.isatty()
        self._display = None if self._is_terminal else _open_display(label)

    def report_progress(self, done: int, total: int) -> None:
        """Show that `done` of `total` iterations are finished."""
        now_s = time.monotonic()
        if now_s - self._updated_s >= REFRESH_S:
            self._updated_s = now_s
            self._show(f"{self.label}: iteration {done:,} of {total:,}{self._error}")

    def report_error(self, percent: float) -> None:
        """Add the training error of the latest evaluation to the line."""
        self._error = f", training error {percent:.1f} %"

    def notify(self, message: str) -> None:
        """Show a message; it is in the log already."""
        self._show(message)

    def finish(self, message: str) -> None:
        """Replace the line by the last one."""
        if self._is_terminal or self._display is not None:
            self._show(message)
            if self._is_terminal:
                print(flush=True)
        else:
            print(message, flush=True)

    def _show(self, line: str) -> None:
        if self._display is not None:
            self._display.update(_as_text(line), raw=True)
        elif self._is_terminal:
            print(f"\r\x1b[K{line}", end="", flush=True)


def _open_display(line: str) -> Any:
    """Return a display of the notebook that this process runs, or None."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return ipython.display.display(_as_text(line), raw=True, display_id=True)


def _as_text(line: str) -> dict[str, str]:
    return {"text/plain": line}
