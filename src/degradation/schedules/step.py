"""The shape `step`: constant between drops (He et al. 2015, 3.4 and 4.2)."""

from degradation.config import Schedule
from degradation.registry import SHAPES


@SHAPES.register("step", has_drops=True)
def step(iteration: int, schedule: Schedule, plateaus: int) -> float:
    """Return factor^d after d drops: one for each milestone m <= iteration, one for each plateau.

    Without either it is 1, a constant learning rate.
    """
    passed_milestones = sum(iteration >= milestone for milestone in schedule.milestones)
    return schedule.factor ** (passed_milestones + plateaus)
