"""Does degradation stay, and does the fix, where each net is trained at its own best learning rate?"""

from dataclasses import replace

import pandas as pd

from analysis.claims import fix, judge, no_degradation, pair_of
from analysis.comparisons.base import Comparison, table_of
from analysis.figures import learning_rate_map
from analysis.frame import OVER, TRAINING_ERROR, Frame

LR = "config.optim.lr"


def make(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if keys != [LR]:
        return None
    runs = frame.runs
    best, told = at_best_rate(runs)
    claims = [
        replace(claim, name=f"{claim.name}, best lr", notes=[*claim.notes, told]) for claim in judge(best, margin)
    ]
    pair = pair_of(runs)
    for lr, part in runs.groupby(LR):
        for one in (no_degradation(part, margin, pair), fix(part, margin, pair)):
            claims[-1].evidence.append(f"lr {lr:g}, {one.name}: {one.verdict} ({one.decisive})")
    caption = (
        "Training error of the last iteration, mean over seeds, by learning rate and depth; the lowest of each column "
        "is framed. Diverged runs count at chance."
    )
    figures = {"learning-rate": (learning_rate_map.figure(frame), caption)}
    return Comparison("learning-rate", "Learning rate", claims, table_of(runs, LR), figures)


def at_best_rate(runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The runs of each family and depth at the rate with the lowest mean training error; and which those are.

    The rate is chosen by the runs that are then compared, which favours every net a little.
    """
    kept, told = [], []
    for (family, depth), part in runs.groupby(["family", "depth"]):
        over = part[part["state"].isin([*OVER])]
        means = over.groupby(LR)[TRAINING_ERROR].mean()
        lr = means.idxmin() if len(means) else part[LR].min()
        kept.append(part[part[LR] == lr])
        told.append(f"{family}-{depth} {lr:g}")
    return pd.concat(kept), f"best lr by the mean of the same runs: {', '.join(told)}"
