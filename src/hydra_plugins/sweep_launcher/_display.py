"""How far a sweep is, for whoever watches it."""

import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

INTERVAL = 0.2  # seconds between two drawings


def format_duration(seconds: float) -> str:
    """Such as `3 min 05 s`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


@dataclass
class Display:
    """One line that is drawn over and over on a terminal; nothing where the output is no terminal."""

    total: int  # jobs
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    done: int = 0
    failed: int = 0
    work_total: float = 0.0
    work_done: float = 0.0  # of ended jobs
    work: dict[int, float] = field(default_factory=dict)  # of running jobs
    running: dict[int, tuple[int, int]] = field(default_factory=dict)  # job: iteration, of
    started: float = field(default_factory=time.monotonic)
    iterations_ended: int = 0
    first: dict[int, int] = field(default_factory=dict)  # job: the iteration it began at
    drawn: float = 0.0

    def begun(self, job: int, work: float) -> None:
        self.work[job] = work
        self.running[job] = (0, 0)

    def progress(self, job: int, iteration: int, total: int) -> None:
        self.first.setdefault(job, iteration)
        self.running[job] = (iteration, total)

    def ended(self, job: int, failed: bool) -> None:
        iteration, _ = self.running.pop(job)
        self.iterations_ended += iteration - self.first.pop(job, iteration)
        self.work_done += self.work.pop(job)
        self.failed += failed
        self.done += not failed

    def line(self, now: float) -> str:
        """`12/30 runs done, 2 running, 0 failed | 48.2 iterations/s | about 3 min 05 s left`."""
        elapsed = max(now - self.started, 1e-9)
        work = self.work_done + sum(
            self.work[job] * i / of for job, (i, of) in self.running.items() if of
        )
        iterations = self.iterations_ended + sum(
            i - self.first.get(job, i) for job, (i, _) in self.running.items()
        )
        text = (
            f"{self.done}/{self.total} runs done, {len(self.running)} running, {self.failed} failed"
        )
        text += f" | {iterations / elapsed:.1f} iterations/s"
        if work > 0:
            text += f" | about {format_duration(elapsed * (self.work_total - work) / work)} left"
        return text

    def draw(self) -> None:
        now = time.monotonic()
        if self.stream.isatty() and now - self.drawn >= INTERVAL:
            self.drawn = now
            self.stream.write(f"\r\x1b[K{self.line(now)}")
            self.stream.flush()

    def say(self, message: str) -> None:
        """A line that stays."""
        self.stream.write(("\r\x1b[K" if self.stream.isatty() else "") + message + "\n")
        self.stream.flush()

    def failure(self, label: str, error: str, log: object) -> None:
        """A job's failure, in one line."""
        told = error.removeprefix(f"{label}: ")
        self.say(f"failed: {label}: {told} (log: {log})")
