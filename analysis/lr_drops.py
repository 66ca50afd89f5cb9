"""When the learning rate changes, as far as a figure or a claim over several runs can say."""

import pandas as pd

from degradation.counting import format_count

MILESTONES = "config.schedule.milestones"
WARMUP, WARMUP_ERROR = "config.schedule.warmup.lr", "config.schedule.warmup.below"
PLATEAU = "config.schedule.plateau.patience"
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
    return parse_milestones(schedules[0])


def parse_milestones(text: str) -> list[int]:
    """Return the iterations of a column's text, such as `[32000, 48000]`."""
    iterations = text.strip("[]").split(",")
    return [int(iteration) for iteration in iterations if iteration.strip()]


def list_own_changes(runs: pd.DataFrame) -> list[str]:
    """Return why each of these runs may have a learning rate of its own, or an empty list.

    A warm-up until a training error lasts as long as a network needs, and a warm-up of deep
    networks alone makes them differ from the shallow ones; a plateau is found by each run for
    itself.
    """
    by_error = _count_runs_with(runs, WARMUP_ERROR)
    warmed_up = _count_runs_with(runs, WARMUP)
    changes = {
        "a warm-up until a training error": by_error,
        "drops at plateaus": _count_runs_with(runs, PLATEAU),
    }
    if by_error == 0 and warmed_up < len(runs):
        changes["a warm-up"] = warmed_up
    return [
        f"{count} of {format_count(len(runs), 'run')} have {name}, so networks differ in their"
        " learning rates, not in depth alone"
        for name, count in changes.items()
        if count
    ]


def _count_runs_with(runs: pd.DataFrame, key: str) -> int:
    """Return how many runs have a value of a key of their configuration."""
    return int(runs[key].notna().sum()) if key in runs else 0


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
