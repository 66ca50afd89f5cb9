"""The learning rate, a pure function of the iteration and of the schedule's state."""

from dataclasses import dataclass, field

from degradation.config import Plateau, Schedule, Warmup
from degradation.registry import SHAPES


@dataclass
class ScheduleState:
    """The past events that affect the learning rate. Saved in checkpoints."""

    warmup_end: int | None = None  # number of updates when the warm-up ended, or None before that
    plateaus: list[int] = field(default_factory=list)  # number of updates at each plateau


def learning_rate(iteration: int, lr: float, schedule: Schedule, state: ScheduleState) -> float:
    """Return the learning rate of the update that follows `iteration` updates.

    It is `lr` times the factor of the schedule's shape (`degradation.schedules`), with at most one
    kind of warm-up at the start:

    - linear: update i = 0, 1, ... of the first `schedule.linear_warmup` gets (i + 1) /
      `linear_warmup` of that, so the last one of them gets all of it.
    - by error: until it ends, the learning rate is `schedule.warmup.lr`. The shape counts from the
      first update, so after the warm-up the learning rate is that of a run without a warm-up.

    Args:
        schedule: the schedule with the warm-up that this run has (`config.effective_schedule`).
    """
    if schedule.warmup is not None and state.warmup_end is None:
        return schedule.warmup.lr
    factor: float = SHAPES.load(schedule.shape)(iteration, schedule, len(state.plateaus))
    if iteration < schedule.linear_warmup:
        factor *= (iteration + 1) / schedule.linear_warmup
    return lr * factor


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
