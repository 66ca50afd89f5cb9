"""The progress of a sweep on the terminal: one line that is redrawn, and permanent lines."""

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

REDRAW_INTERVAL_S = 0.2
ERASE_LINE = "\r\x1b[K"


def format_duration(seconds: float) -> str:
    """Return a duration as text, for example `3 min 05 s`."""
    minutes, seconds_left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    if minutes:
        return f"{minutes} min {seconds_left:02d} s"
    return f"{seconds_left} s"


@dataclass
class Display:
    """Counts jobs and their iterations, and shows the counts if the stream is a terminal.

    A job is identified by its index. Work is in any unit that is the same for all jobs; the
    estimated time left is proportional to it.
    """

    total: int  # jobs
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    failed: int = 0
    work_total: float = 0.0
    work_done: float = 0.0  # work of ended jobs
    started: float = field(default_factory=time.monotonic)
    work: dict[int, float] = field(default_factory=dict)  # work of running jobs
    running: dict[int, tuple[int, int]] = field(default_factory=dict)  # iterations done, total
    first_iteration: dict[int, int] = field(default_factory=dict)  # above 0 for a resumed run
    iterations_done: int = 0  # iterations of ended jobs, in this sweep
    last_drawn: float = 0.0

    def start_job(self, job: int, work: float) -> None:
        """Count a job as running."""
        self.work[job] = work
        self.running[job] = (0, 0)

    def update_job(self, job: int, iteration: int, total: int) -> None:
        """Set how many iterations of a running job are done."""
        self.first_iteration.setdefault(job, iteration)
        self.running[job] = (iteration, total)

    def end_job(self, job: int, failed: bool) -> None:
        """Count a running job as done or failed."""
        iteration, _ = self.running.pop(job)
        self.iterations_done += iteration - self.first_iteration.pop(job, iteration)
        self.work_done += self.work.pop(job)
        if failed:
            self.failed += 1
        else:
            self.done += 1

    def format_line(self, now: float) -> str:
        """Return the redrawn line at the time `now` (time.monotonic), for example

        `12/30 runs done, 2 running, 0 failed | 48.2 iterations/s | about 3 min 05 s left`
        """
        elapsed = max(now - self.started, 1e-9)
        work = self.work_done
        iterations = self.iterations_done
        for job, (iteration, total) in self.running.items():
            if total:
                work += self.work[job] * iteration / total
            iterations += iteration - self.first_iteration.get(job, iteration)
        counts = f"{self.done}/{self.total} runs done, {len(self.running)} running"
        parts = [f"{counts}, {self.failed} failed", f"{iterations / elapsed:.1f} iterations/s"]
        if work > 0:
            seconds_left = elapsed * (self.work_total - work) / work
            parts.append(f"about {format_duration(seconds_left)} left")
        return " | ".join(parts)

    def draw(self) -> None:
        """Redraw the line if the stream is a terminal, at most every REDRAW_INTERVAL_S."""
        now = time.monotonic()
        if self.stream.isatty() and now - self.last_drawn >= REDRAW_INTERVAL_S:
            self.last_drawn = now
            self.stream.write(ERASE_LINE + self.format_line(now))
            self.stream.flush()

    def print(self, message: str) -> None:
        """Print a permanent line."""
        prefix = ERASE_LINE if self.stream.isatty() else ""
        self.stream.write(f"{prefix}{message}\n")
        self.stream.flush()

    def print_failure(self, label: str, error: str, log: Path) -> None:
        """Print a job's failure; an error that begins with the label does not repeat it."""
        problem = error.removeprefix(f"{label}: ")
        self.print(f"{label} failed: {problem} (log: {log})")
