"""The learning rate, a pure function of the iteration and of the schedule's state."""

from dataclasses import dataclass, field

from degradation.config import Plateau, Schedule, Warmup


@dataclass
class ScheduleState:
    """The past events that affect the learning rate. Saved in checkpoints."""

    warmup_end: int | None = None  # number of updates when the warm-up ended, or None before that
    plateaus: list[int] = field(default_factory=list)  # number of updates at each plateau


def learning_rate(
    iteration: int, lr: float, schedule: Schedule, warmup: Warmup | None, state: ScheduleState
) -> float:
    """Return the learning rate of the update that follows `iteration` updates.

    It is lr * factor^d after d drops: one for each milestone m with iteration >= m, and one for
    each plateau (He et al. 2015, 3.4 and 4.2). During the warm-up it is constant, `warmup.lr`.
    Milestones count from the first update, so after the warm-up the learning rate is that of a run
    without a warm-up.

    Args:
        warmup: the warm-up of this run (`config.effective_warmup`), or None if it has none.
    """
    if warmup is not None and state.warmup_end is None:
        return warmup.lr
    passed_milestones = sum(iteration >= milestone for milestone in schedule.milestones)
    drops = passed_milestones + len(state.plateaus)
    return lr * schedule.factor**drops


def has_warmup_ended(iteration: int, recent_errors: list[float], warmup: Warmup) -> bool:
    """Return whether the warm-up ends after `iteration` updates.

    It ends when the mean error over the last `warmup.window` batches is below `warmup.below`, or
    after `warmup.max_iterations` updates, whichever comes first. Either limit may be None. The mean
    counts only once the window is full.

    Args:
        recent_errors: training errors in percent of the last batches, at most `window` of them.
    """
    if warmup.max_iterations is not None and iteration >= warmup.max_iterations:
        return True
    if warmup.below is None or len(recent_errors) < warmup.window:
        return False
    return sum(recent_errors) / len(recent_errors) < warmup.below


def has_plateaued(errors: list[float], plateau: Plateau) -> bool:
    """Return whether the error has stopped falling (He et al. 2015, 3.4).

    This is so if none of the last `plateau.patience` errors is at least `plateau.improvement`
    percentage points below the lowest error before them. There must be an error before them.

    Args:
        errors: errors in percent at the evaluations since the last plateau, oldest first.
    """
    earlier, latest = errors[: -plateau.patience], errors[-plateau.patience :]
    if not earlier:
        return False
    return min(latest) > min(earlier) - plateau.improvement
