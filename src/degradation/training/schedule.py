"""The learning rate: a pure function of the iteration and of the transitions recorded so far."""

from degradation.config import Schedule, Warmup


def learning_rate(
    iteration: int, lr: float, schedule: Schedule, warmup: Warmup | None, warmup_end: int | None
) -> float:
    """The rate of the update that follows `iteration` updates (He et al. 2015, 4.2).

    `warmup_end` is the number of updates after which the warm-up ended, None while it lasts. After it the rate is what
    it would have been without a warm-up.
    """
    if warmup is not None and warmup_end is None:
        return warmup.lr
    drops = sum(iteration >= milestone for milestone in schedule.milestones)
    return lr * schedule.factor**drops


def warmup_is_over(iteration: int, recent_errors: list[float], warmup: Warmup) -> bool:
    """After `iteration` updates: is the mean running error (percent) over a full window below the limit, or time up?"""
    full = len(recent_errors) == warmup.window
    return iteration >= warmup.max_iterations or (full and sum(recent_errors) / len(recent_errors) < warmup.below)
