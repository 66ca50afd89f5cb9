"""What the keys of a schedule imply: the warm-up, and when a run is evaluated and probed.

Does not import torch.
"""

from collections.abc import Iterator
from dataclasses import replace

from degradation.config.schema import Config, Schedule, Warmup


def is_evaluated(iteration: int, last: int, every: int) -> bool:
    """Return whether the network is evaluated after `iteration` updates.

    Args:
        last: the schedule's number of iterations; the last iteration is always evaluated.
        every: `schedule.evaluate_every`.
    """
    return iteration > 0 and (iteration % every == 0 or iteration == last)


def evaluation_iterations(last: int, every: int, at_start: bool = False) -> Iterator[int]:
    """Yield the iterations after which a finished run has been evaluated, in ascending order.

    Args:
        last, every: as for `is_evaluated`.
        at_start: whether the network is also evaluated before the first update, as constructed
            networks are.
    """
    if at_start:
        yield 0
    yield from range(every, last, every)
    yield last


def probe_iterations(config: Config) -> list[int]:
    """Return the iterations after which training runs probes: 0, early, milestones, the last.

    Training also runs probes at each plateau of the error, which is not known in advance.
    """
    schedule = config.schedule
    early = min(config.probes.early, schedule.iterations)
    return sorted({0, early, *schedule.milestones, schedule.iterations})


def later_probe_iterations(config: Config) -> dict[str, list[int]]:
    """Return, for each phase, the iterations whose network is still available after training.

    The phases are those that a probe's registration names in `at`. A constructed network's start is
    available only as a snapshot, because its parent would otherwise have to be grown again.
    """
    schedule = config.schedule
    has_start = config.model.grown_from is None or 0 in schedule.snapshots
    return {
        "start": [0] if has_start else [],
        "snapshots": list(schedule.snapshots),
        "end": [schedule.iterations],
    }


def effective_schedule(config: Config) -> Schedule:
    """Return the schedule of this run, with only the warm-up that the run has.

    Constructed networks have none of either kind, since they have begun to learn already.
    """
    linear_warmup = config.schedule.linear_warmup
    if config.model.grown_from is not None:
        linear_warmup = 0
    return replace(config.schedule, warmup=effective_warmup(config), linear_warmup=linear_warmup)


def effective_warmup(config: Config) -> Warmup | None:
    """Return the warm-up by error of this run, or None.

    Networks shallower than `schedule.warmup.from_depth` have none, and neither have constructed
    networks, which have begun to learn already.
    """
    warmup = config.schedule.warmup
    if warmup is None or config.model.grown_from is not None:
        return None
    return warmup if config.model.depth >= warmup.from_depth else None
