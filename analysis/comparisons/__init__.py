"""Claims across conditions: what changes when one thing beside family, depth and seed does.

Which comparison there is follows from the runs themselves, so a sweep of the user's own has it too. One file each.
"""

from analysis.comparisons import (
    construction,
    learning_rate,
    preactivation,
    schedule_length,
    shortcuts,
)
from analysis.comparisons.base import Comparison
from analysis.conditions import find_varying_keys
from analysis.frame import Frame

__all__ = ["Comparison", "compare"]


def compare(frame: Frame, margin: float) -> list[Comparison]:
    """All comparisons that these runs allow. `margin` is in points."""
    keys = find_varying_keys(frame.runs)
    made = [
        kind.build(frame, keys, margin)
        for kind in (shortcuts, schedule_length, preactivation, learning_rate, construction)
    ]
    return [comparison for comparison in made if comparison is not None]
