"""Does degradation stay, and does the fix, where each net is trained at its own best learning rate?"""

from dataclasses import replace

import pandas as pd

from analysis.claims import fix, judge, no_degradation, pair_of
from analysis.comparisons.base import Comparison, table_of
from analysis.evidence import Verdict
from analysis.figures import learning_rate_map
from analysis.frame import OVER, TRAINING_ERROR, Frame

LR = "config.optim.lr"


def make(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if keys != [LR]:
        return None
    runs = frame.runs
    best, told = at_best_rate(runs)
    claims = [replace(claim, name=f"{claim.name}, best lr", notes=claim.notes + told) for claim in judge(best, margin)]
    if reasons := _incomplete(runs):
        claims = [replace(c, verdict=Verdict.NOT_TESTED, decisive=reasons[0], evidence=reasons) for c in claims]
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


def _incomplete(runs: pd.DataFrame) -> list[str]:
    """Why no rate can be called a net's best: runs that are not over, or nets that were not tried at every rate."""
    reasons = [
        f"{len(part)} of {len(runs)} runs are {state}, so a best rate is not known"
        for state, part in runs[~runs["state"].isin([*OVER])].groupby("state")
    ]
    tried = {tuple(sorted(zip(part[LR], part["seed"], strict=True))) for _, part in runs.groupby(["family", "depth"])}
    if len(tried) > 1:
        reasons.append("not every net was trained at the same rates with the same seeds")
    return reasons


def at_best_rate(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs of each family and depth at the rate with the lowest mean training error; and notes on which those are.

    The rate is chosen by the runs that are then compared, which favours every net a little.
    """
    kept, told, at_edge = [], [], []
    for (family, depth), part in runs.groupby(["family", "depth"]):
        over = part[part["state"].isin([*OVER])]
        means = over.groupby(LR)[TRAINING_ERROR].mean()
        lr = means.idxmin() if len(means) else part[LR].min()
        kept.append(part[part[LR] == lr])
        told.append(f"{family}-{depth} {lr:g}")
        if lr in (part[LR].min(), part[LR].max()):
            at_edge.append(f"{family}-{depth}")
    notes = [f"best lr by the mean of the same runs: {', '.join(told)}"]
    if at_edge:
        notes.append(f"best at the edge of the rates tried, so a better one may lie beyond: {', '.join(at_edge)}")
    return pd.concat(kept), notes
