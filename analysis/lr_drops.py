"""When the learning rate drops, as far as a figure or a claim over several runs can say."""

import pandas as pd

MILESTONES = "config.schedule.milestones"


def find_common_milestones(runs: pd.DataFrame) -> list[int]:
    """Return the iterations after which the learning rate of all these runs drops.

    Empty if the runs' schedules differ, or if none has such drops. The column holds the list as
    text, such as "[32000, 48000]".
    """
    if MILESTONES not in runs:
        return []
    schedules = runs[MILESTONES].dropna().unique()
    if len(schedules) != 1:
        return []
    iterations = schedules[0].strip("[]").split(",")
    return [int(iteration) for iteration in iterations if iteration.strip()]
