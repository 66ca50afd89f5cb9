"""The shape `cosine`: half a cosine, from 1 to almost 0 (Loshchilov and Hutter 2017)."""

import math

from degradation.config import Schedule
from degradation.registry import SHAPES


@SHAPES.register("cosine", has_drops=False)
def cosine(iteration: int, schedule: Schedule, _plateaus: int) -> float:
    """Return (1 + cos(pi t / T)) / 2, without restarts.

    T is the number of iterations after the linear warm-up, and t = 0, ..., T - 1 counts them; t is
    0 during the warm-up too. The first update after the warm-up (or of all, without one) gets 1.
    The last one gets (1 - cos(pi / T)) / 2, about (pi / 2T)^2; with 0 it would change nothing.
    """
    total = max(1, schedule.iterations - schedule.linear_warmup)
    position = max(0, iteration - schedule.linear_warmup)
    # (1 + cos x) / 2 = cos(x / 2)^2, which rounding never makes 0
    return math.cos(math.pi * position / (2 * total)) ** 2
