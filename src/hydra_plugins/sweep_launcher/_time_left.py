"""The remaining time of a sweep, from the pace of its jobs in this process.

Iterations that a resumed job had done earlier do not count: they say nothing about the pace.
"""

import heapq
import math
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

SETTLED_AFTER_S = 5.0  # earlier, a job's own pace mostly reflects its start


@dataclass
class JobProgress:
    """A running job: its reports, and what they say about its pace."""

    label: str
    slot: str | None  # None: unknown
    work: float
    started: float  # seconds on the display's clock, as all times here
    total: int = 0  # iterations; 0 until the first report
    first_iteration: int = 0  # of the first report; above 0 in a resumed run
    first_time: float = 0.0
    iteration: int = 0
    time: float = 0.0  # of the latest report
    error: float | None = None  # the latest, in percent
    iterations_before: int = 0  # of earlier runs that this job had to train first

    def update(self, iteration: int, total: int, now: float) -> None:
        """Store a report.

        A job may train another run first, as a constructed network's job trains its parent; the
        iterations then restart from 0.
        """
        is_first = self.total == 0
        is_another_run = total != self.total or iteration < self.iteration
        if is_first or is_another_run:
            self.iterations_before = self.count_iterations()
            self.total = total
            self.first_iteration, self.first_time = iteration, now
        self.iteration, self.time = iteration, now

    def count_iterations(self) -> int:
        """Return how many iterations this process has observed."""
        return self.iterations_before + self.iteration - self.first_iteration

    def measure(self) -> tuple[float, float] | None:
        """Return the work between the first and the latest report, and its seconds, or None.

        None means that no iteration came between them. While a job trains another run first, the
        work of both is taken for that of the first.
        """
        done = self.iteration - self.first_iteration
        if done == 0:
            return None
        expected = self.total - self.first_iteration
        return self.work * done / expected, self.time - self.first_time

    def estimate_seconds_left(self, paces: "MeasuredPaces", now: float) -> float | None:
        """Return the job's remaining time at its own pace, or, until that is known, at others'."""
        done, observed = self.iteration - self.first_iteration, self.time - self.first_time
        own = (self.total - self.iteration) * observed / done if done > 0 else None
        if own is not None and observed >= SETTLED_AFTER_S:
            return own
        predicted = paces.predict([self.work])
        if predicted is None:
            return own
        return max(0.0, predicted[0] - (now - self.started))


@dataclass
class MeasuredPaces:
    """Seconds per unit of work, by the total work of a job.

    Small networks cost more time per unit of work than large ones, so a job's time is predicted
    from the measured jobs that are nearest in work.
    """

    sums: dict[float, tuple[float, float]] = field(default_factory=dict)  # work, seconds

    def add(self, whole_work: float, work: float, seconds: float) -> None:
        """Add a part of a job, or all of it."""
        earlier_work, earlier_seconds = self.sums.get(whole_work, (0.0, 0.0))
        self.sums[whole_work] = (earlier_work + work, earlier_seconds + seconds)

    def predict(self, works: Iterable[float]) -> list[float] | None:
        """Return the seconds of jobs that have not started; None if nothing was measured."""
        measured = sorted(work for work, (done, _) in self.sums.items() if work > 0 and done > 0)
        if not measured:
            return None
        seconds = []
        for work in works:
            done, duration = self.sums[_find_nearest(measured, work)]
            seconds.append(work * duration / done)
        return seconds


def _find_nearest(ascending: Sequence[float], work: float) -> float:
    """Return the value with the ratio to `work` that is nearest to 1."""
    position = bisect(ascending, work)
    neighbours = ascending[max(0, position - 1) : position + 1]
    return min(neighbours, key=lambda value: abs(math.log(value / max(work, 1e-9))))


def estimate_time_left(
    running: Sequence[JobProgress],
    queued_works: Sequence[float],
    slots: int,
    ended_paces: MeasuredPaces,
    now: float,
) -> float | None:
    """Return the seconds until the last job ends; None while nothing is known about a pace.

    Running jobs continue at their own pace; queued jobs then start as in the pool, the longest
    first in the slot that is free first.
    """
    paces = MeasuredPaces(dict(ended_paces.sums))
    measurable = [job for job in running if job.time - job.first_time >= SETTLED_AFTER_S]
    if not measurable and not paces.sums:
        measurable = list(running)
    for job in measurable:
        measured = job.measure()
        if measured is not None:
            paces.add(job.work, *measured)
    free_at = []
    for job in running:
        seconds_left = job.estimate_seconds_left(paces, now)
        if seconds_left is None:
            return None
        free_at.append(seconds_left)
    queued = paces.predict(queued_works)
    if queued is None:
        return None
    free_at += [0.0] * (slots - len(running))
    heapq.heapify(free_at)
    for seconds in sorted(queued, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + seconds)
    return max(free_at)
