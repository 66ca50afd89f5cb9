"""The learning rate: a pure function of the iteration and of what has changed it so far."""

from dataclasses import dataclass, field

from degradation.config import Plateau, Schedule, Warmup


@dataclass
class ScheduleState:
    """What changes the learning rate besides the iteration. Saved in checkpoints."""

    warmup_end: int | None = None  # updates after which the warm-up ended; None before that
    plateaus: list[int] = field(default_factory=list)  # updates after which a plateau was found


def learning_rate(
    iteration: int, lr: float, schedule: Schedule, warmup: Warmup | None, state: ScheduleState
) -> float:
    """Return the learning rate of the update that follows `iteration` updates.

    It is lr * factor^d after d drops: one per milestone m with iteration >= m, and one per plateau
    (He et al. 2015, 3.4 and 4.2). While the warm-up lasts it is the warm-up's own, constant rate.
    Milestones count from the first update, so after the warm-up the rate is the one that a run
    without a warm-up has.

    Args:
        warmup: of this run (`config.effective_warmup`), None if it has none.
    """
    if warmup is not None and state.warmup_end is None:
        return warmup.lr
    passed_milestones = sum(iteration >= milestone for milestone in schedule.milestones)
    drops = passed_milestones + len(state.plateaus)
    return lr * schedule.factor**drops


def has_warmup_ended(iteration: int, recent_errors: list[float], warmup: Warmup) -> bool:
    """Does the warm-up end after `iteration` updates?

    It ends when the mean error over the last `warmup.window` batches is below `warmup.below`, but
    not before so many batches have been seen, or after `warmup.max_iterations` updates, whichever
    comes first. Either limit may be None.

    Args:
        recent_errors: training errors of the last batches, in percent, at most `window` of them.
    """
    if warmup.max_iterations is not None and iteration >= warmup.max_iterations:
        return True
    if warmup.below is None or len(recent_errors) < warmup.window:
        return False
    return sum(recent_errors) / len(recent_errors) < warmup.below


def has_plateaued(errors: list[float], plateau: Plateau) -> bool:
    """Has the error stopped falling?

    It has if none of the last `plateau.patience` errors is at least `plateau.improvement` points
    below the best one before them. With no error before them it has not.

    Args:
        errors: of the evaluations since the last drop, in percent, oldest first.
    """
    earlier, latest = errors[: -plateau.patience], errors[-plateau.patience :]
    if not earlier:
        return False
    return min(latest) > min(earlier) - plateau.improvement
