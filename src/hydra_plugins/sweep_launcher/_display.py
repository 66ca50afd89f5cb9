"""The progress of a sweep: redrawn lines on a terminal, otherwise one line per minute."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from hydra_plugins.sweep_launcher._curve import Curve, CurvePoint
from hydra_plugins.sweep_launcher._time_left import (
    JobProgress,
    MeasuredPaces,
    estimate_time_left,
)

REDRAW_INTERVAL_S = 0.2
LINE_INTERVAL_S = 60.0  # without a terminal
DEFAULT_SIZE = os.terminal_size((80, 24))
ERASE_BELOW = "\x1b[J"


def format_runs(count: int) -> str:
    """Return `1 run`, `2 runs` and so on."""
    return f"{count} run" if count == 1 else f"{count} runs"


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
    """Counts jobs and their iterations, and shows them while the sweep runs.

    A job is identified by its index. Work is in any unit that is the same for all jobs.
    """

    total: int  # jobs
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    failed: int = 0
    clock: Callable[[], float] = time.monotonic  # in seconds
    slots: int | None = None  # None: unknown, as on a cluster
    running_label: str = "running"
    queued: dict[int, float] = field(default_factory=dict)  # work of the jobs to start
    running: dict[int, JobProgress] = field(default_factory=dict)
    ended_paces: MeasuredPaces = field(default_factory=MeasuredPaces)
    ended_work: float = 0.0
    ended_iterations: int = 0
    first_report: float | None = None  # when
    points: dict[int, CurvePoint] = field(default_factory=dict)  # of the jobs to run
    curve: Curve = field(default_factory=Curve)
    drawn_lines: int = 0  # on the terminal now

    def __post_init__(self) -> None:
        self.started = self.last_shown = self.clock()

    def queue_jobs(
        self,
        works: Sequence[float],
        slots: int | None = None,
        points: Sequence[CurvePoint | None] = (),
    ) -> None:
        """Set what is known about the jobs that are to run, by index.

        Args:
            works: the work of each job.
            slots: how many run at once.
            points: where the error of each job belongs; None if nowhere.
        """
        self.queued = dict(enumerate(works))
        self.slots = slots
        self.points = {index: point for index, point in enumerate(points) if point is not None}
        for point in self.points.values():
            self.curve.add(point)

    def add_finished(self, point: CurvePoint, error: float | None) -> None:
        """Add the error of a job that has nothing left to do; None if it is unknown."""
        self.curve.add(point)
        if error is not None:
            self.curve.update(point, error)

    def start_job(self, index: int, label: str, slot: str | None = None) -> None:
        """Count a queued job as running."""
        self.running[index] = JobProgress(label, slot, self.queued.pop(index), self.clock())

    def update_job(self, index: int, iteration: int, total: int) -> None:
        """Set how many iterations of a running job are done."""
        now = self.clock()
        if self.first_report is None:
            self.first_report = now
        self.running[index].update(iteration, total, now)

    def update_error(self, index: int, error: float) -> None:
        """Set the latest error of a running job, in percent."""
        self.running[index].error = error
        if index in self.points:
            self.curve.update(self.points[index], error)

    def end_job(self, index: int, failed: bool) -> None:
        """Count a running job as done or failed."""
        job = self.running.pop(index)
        self.ended_iterations += job.count_iterations()
        self.ended_work += job.work
        # If other jobs report progress and this one has not, another process has done its run.
        is_representative = job.total > 0 or self.first_report is None
        if failed:
            self.failed += 1
            measured = job.measure()
            if measured is not None:
                self.ended_paces.add(job.work, *measured)
        else:
            self.done += 1
            if is_representative:
                self.ended_paces.add(job.work, job.work, self.clock() - job.started)

    def format_line(self, now: float) -> str:
        """Return the state of the sweep at the time `now`, for example

        `12/30 runs done, 2 running, 0 failed | 48.2 iterations/s | about 3 min 05 s left`
        """
        counts = f"{self.done}/{self.total} runs done, {len(self.running)} {self.running_label}"
        parts = [f"{counts}, {self.failed} failed"]
        if self.first_report is not None:
            iterations = self.ended_iterations
            for job in self.running.values():
                iterations += job.count_iterations()
            elapsed = max(now - self.first_report, 1e-9)
            parts.append(f"{iterations / elapsed:.1f} iterations/s")
        seconds_left = self._estimate_time_left(now)
        if seconds_left is not None:
            parts.append(f"about {format_duration(seconds_left)} left")
        return " | ".join(parts)

    def _estimate_time_left(self, now: float) -> float | None:
        running = list(self.running.values())
        if self.slots is not None:
            queued_works = list(self.queued.values())
            return estimate_time_left(running, queued_works, self.slots, self.ended_paces, now)
        if self.ended_work == 0:
            return None
        work_left = sum(self.queued.values()) + sum(job.work for job in running)
        return (now - self.started) * work_left / self.ended_work

    def draw(self) -> None:
        """Show the state, at most every REDRAW_INTERVAL_S, or every LINE_INTERVAL_S in a log."""
        now = self.clock()
        if not self.is_terminal():
            if now - self.last_shown >= LINE_INTERVAL_S:
                self.last_shown = now
                self.print(self.format_line(now))
            return
        if self.drawn_lines and now - self.last_shown < REDRAW_INTERVAL_S:
            return
        self.last_shown = now
        size = self._find_size()
        most = max(0, size.lines - 2)
        lines = [self.format_line(now), *self._format_jobs(most, now)]
        curve_lines = self.curve.format_lines()
        if len(lines) + len(curve_lines) <= most:
            lines += curve_lines
        cut_lines = [line[: size.columns - 1] for line in lines]  # none wraps
        self.stream.write(self._erase() + "\n".join(cut_lines))
        self.stream.flush()
        self.drawn_lines = len(lines)

    def _format_jobs(self, most: int, now: float) -> list[str]:
        """Return one line per running job in a known slot, at most `most`."""
        jobs = [job for job in self.running.values() if job.slot is not None]
        lines = [self._format_job(job, now) for job in jobs]
        if len(lines) > most:
            shown = max(0, most - 1)
            lines = [*lines[:shown], f"  and {len(lines) - shown} more"][:most]
        return lines

    def _format_job(self, job: JobProgress, now: float) -> str:
        """Return a job's slot, label, iteration, latest error and time left, as far as known."""
        parts = [f"  {job.slot}: {job.label}"]
        parts.append(f"{job.iteration}/{job.total}" if job.total else "starting")
        if job.error is not None:
            parts.append(f"error {job.error:.1f} %")
        seconds_left = job.estimate_seconds_left(self.ended_paces, now) if job.total else None
        if seconds_left is not None:
            parts.append(f"{format_duration(seconds_left)} left")
        return "  ".join(parts)

    def print(self, message: str) -> None:
        """Print a permanent line."""
        self.stream.write(f"{self._erase()}{message}\n")
        self.stream.flush()
        self.drawn_lines = 0

    def print_failure(self, label: str, error: str, log: Path) -> None:
        """Print a job's failure; an error that begins with the label does not repeat it."""
        problem = error.removeprefix(f"{label}: ")
        self.print(f"{label} failed: {problem} (log: {log})")

    def is_terminal(self) -> bool:
        """Return whether lines can be redrawn."""
        return self.stream.isatty() and os.environ.get("TERM") != "dumb"

    def _find_size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self.stream.fileno())
        except (OSError, ValueError):
            return DEFAULT_SIZE
        return size if size.columns and size.lines else DEFAULT_SIZE

    def _erase(self) -> str:
        """Return the control sequence that erases the drawn lines."""
        if not self.drawn_lines:
            return ""
        up = f"\x1b[{self.drawn_lines - 1}A" if self.drawn_lines > 1 else ""
        return f"\r{up}{ERASE_BELOW}"
