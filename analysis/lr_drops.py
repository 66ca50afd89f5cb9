"""When the learning rate changes, as far as a figure or a claim over several runs can say."""

import pandas as pd

MILESTONES = "config.schedule.milestones"
SHAPE, LINEAR_WARMUP = "config.schedule.shape", "config.schedule.linear_warmup"


def find_common_milestones(runs: pd.DataFrame) -> list[int]:
    """Return the iterations after which the learning rate of all these runs drops.

    Empty if the runs' schedules differ, or if none has such drops, as with a cosine. The
    column holds the list as text, such as "[32000, 48000]".
    """
    if MILESTONES not in runs:
        return []
    schedules = runs[MILESTONES].dropna().unique()
    if len(schedules) != 1:
        return []
    iterations = schedules[0].strip("[]").split(",")
    return [int(iteration) for iteration in iterations if iteration.strip()]


def list_gradual_changes(runs: pd.DataFrame) -> list[str]:
    """Return what makes the learning rate of some of these runs change in every iteration.

    That is a shape other than `step`, or a linear warm-up. Records that lack the keys have neither.
    """
    changes = []
    if SHAPE in runs:
        shapes = runs[SHAPE].dropna().unique()
        changes += [f"{shape} schedule" for shape in sorted(shapes) if shape != "step"]
    if LINEAR_WARMUP in runs and (runs[LINEAR_WARMUP] > 0).any():
        changes.append("linear warm-up")
    return changes
