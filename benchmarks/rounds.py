"""Time several loops in turns: A B C, C B A, A B C, ...

So a machine whose speed drifts steadily favours none of them in the median of an even number of
rounds.

Images per second are medians over the rounds, shown with the lowest and the highest. A ratio is the
median of the rounds' own ratios.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

Clock = Callable[[], float]

# The first iterations are slower: memory, libraries, CUDA graphs. The latter need four.
WARM_UP_ITERATIONS, WARM_UP_S = 5, 10.0
# What is timed after them, for the length of a stretch and for the estimate
SAMPLED_ITERATIONS, SAMPLE_S = 3, 3.0
# Batches that DataLoader's workers have prepared while others were timed: 2 for each of 4 workers.
# They are consumed before a stretch, where a loop is fast enough to wait for its workers.
SETTLE_ITERATIONS, SETTLE_S = 8, 1.0


class Advancing(Protocol):
    """What is timed: one loop, or several at once."""

    def advance(self, iterations: int) -> int:
        """Do some iterations, and return how many images were processed."""
        ...


@dataclass(frozen=True)
class Stretch:
    """How many iterations are timed without a pause, and how many precede them untimed."""

    settling: int
    timed: int

    def estimate_seconds(self, iteration_seconds: float) -> float:
        return (self.settling + self.timed) * iteration_seconds


@dataclass(frozen=True)
class TimedStretch:
    """What one stretch took."""

    iterations: int
    images: int
    seconds: float

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds

    @property
    def seconds_per_iteration(self) -> float:
        return self.seconds / self.iterations


@dataclass(frozen=True)
class Spread:
    """A median with the lowest and the highest value of the rounds."""

    median: float
    lowest: float
    highest: float


def summarise(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def summarise_speed(stretches: Sequence[TimedStretch]) -> Spread:
    """Return the spread of images per second over the rounds."""
    return summarise([stretch.images_per_second for stretch in stretches])


def summarise_ratio(stretches: Sequence[TimedStretch], reference: Sequence[TimedStretch]) -> Spread:
    """Return the spread of the ratio of images per second to the same round of a reference."""
    return summarise(
        [
            stretch.images_per_second / other.images_per_second
            for stretch, other in zip(stretches, reference, strict=True)
        ]
    )


def sample(loop: Advancing, clock: Clock = time.perf_counter) -> float:
    """Warm a loop up, and return the seconds of one of its iterations."""
    _repeat(loop, WARM_UP_ITERATIONS, WARM_UP_S, clock)
    start = clock()
    iterations = _repeat(loop, SAMPLED_ITERATIONS, SAMPLE_S, clock)
    return (clock() - start) / iterations


def _repeat(loop: Advancing, iterations: int, seconds: float, clock: Clock) -> int:
    """Do iterations, or fewer once these seconds have passed, and return how many were done."""
    start = clock()
    done = 0
    while done < iterations and clock() - start < seconds:
        loop.advance(1)
        done += 1
    return done


def estimate_sample(iteration_seconds: float) -> float:
    """Return how long `sample` takes."""
    warm_up = min(WARM_UP_ITERATIONS, math.ceil(WARM_UP_S / iteration_seconds))
    sampled = min(SAMPLED_ITERATIONS, math.ceil(SAMPLE_S / iteration_seconds))
    return (warm_up + sampled) * iteration_seconds


def plan_stretch(iteration_seconds: float, stretch_seconds: float) -> Stretch:
    """Return a stretch of about so many seconds, and of at least one iteration."""
    settling = min(SETTLE_ITERATIONS, round(SETTLE_S / iteration_seconds))
    return Stretch(settling, max(1, round(stretch_seconds / iteration_seconds)))


def time_rounds(
    loops: Sequence[Advancing],
    stretches: Sequence[Stretch],
    rounds: int,
    clock: Clock = time.perf_counter,
) -> list[list[TimedStretch]]:
    """Return what the stretches of each loop took, one per round.

    Args:
        loops: each round times all of them, in this order and in the reverse one by turns.
        stretches: one per loop.
        clock: returns seconds.
    """
    timed: list[list[TimedStretch]] = [[] for _ in loops]
    order = [*range(len(loops))]
    for number in range(rounds):
        for index in order if number % 2 == 0 else reversed(order):
            loop, stretch = loops[index], stretches[index]
            if stretch.settling:
                loop.advance(stretch.settling)
            start = clock()
            images = loop.advance(stretch.timed)
            timed[index].append(TimedStretch(stretch.timed, images, clock() - start))
    return timed
