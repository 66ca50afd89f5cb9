"""The learning rate: a pure function of the iteration and of the transitions recorded so far."""

from dataclasses import dataclass, field

from degradation.config import Plateau, Schedule, Warmup


@dataclass
class ScheduleState:
    """What has changed the rate besides the iteration. In the checkpoint, and in the rows of the record."""

    warmup_end: int | None = (
        None  # the number of updates after which the warm-up ended; None while it lasts
    )
    plateaus: list[int] = field(
        default_factory=list
    )  # the numbers of updates after which the error stood still


def learning_rate(
    iteration: int, lr: float, schedule: Schedule, warmup: Warmup | None, transitions: ScheduleState
) -> float:
    """The rate of the update that follows `iteration` updates (He et al. 2015, 3.4 and 4.2).

    After a warm-up the rate is what it would have been without one.
    """
    if warmup is not None and transitions.warmup_end is None:
        return warmup.lr
    drops = sum(iteration >= milestone for milestone in schedule.milestones) + len(
        transitions.plateaus
    )
    return lr * schedule.factor**drops


def has_warmup_ended(iteration: int, recent_errors: list[float], warmup: Warmup) -> bool:
    """After `iteration` updates: is the mean running error (percent) over a full window below the limit, or time up?"""
    if warmup.max_iterations is not None and iteration >= warmup.max_iterations:
        return True
    full = len(recent_errors) == warmup.window
    return (
        full and warmup.below is not None and sum(recent_errors) / len(recent_errors) < warmup.below
    )


def has_plateaued(errors: list[float], plateau: Plateau) -> bool:
    """Has none of the last `patience` evaluations since the last drop been below the best before them?

    errors: percent, of the evaluations since the last drop.
    """
    earlier, latest = errors[: -plateau.patience], errors[-plateau.patience :]
    return bool(earlier) and min(latest) > min(earlier) - plateau.improvement
