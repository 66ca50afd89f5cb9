"""Does degradation stay, and does the fix, where each net is trained at its own best learning rate?

Which rate is a net's best is known from the runs that are compared, and the lowest of several means is too low: by
more, the more its runs vary. Simulated with 3 seeds, 4 rates alike in truth, a deep net of a standard deviation of 3
points, a shallow one of 0.2 and an excess of exactly the margin, bounds that ignore the choice show "no degradation" in
14 % of the trials. With a rate that is chosen for each seed by the other seeds they do so in 10 %, and show a
degradation that is not there in up to 19 %, since the seeds' values are then related and a noisy net gets worse rates.
Bounds that pay for the choice (statistics.DifferenceOfLeast) are wrong in 5 % at most, and are used. Their price, for
nets without an excess that vary by 0.3 points and a margin of 2: no degradation is shown in 98 % of the trials with
three seeds, but in 10 to 15 % with two.
"""

from dataclasses import replace

import pandas as pd

from analysis.claim import Compare, Verdict, error_resolution
from analysis.claims import family_pair, judge, judge_fix, judge_no_degradation
from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.comparisons.base import Comparison, build_table
from analysis.figures import learning_rate_map
from analysis.frame import Frame
from analysis.requirements import repeated_seeds
from analysis.statistics import DifferenceOfMinima, difference_of_minima

LR = "config.optim.lr"


def build(frame: Frame, keys: list[str], margin: float) -> Comparison | None:
    if keys != [LR]:
        return None
    runs = frame.runs
    best, notes = select_best_rates(runs)
    if reasons := _incomplete(runs):
        claims = [
            replace(claim, verdict=Verdict.NOT_TESTED, decisive=reasons[0], evidence=list(reasons))
            for claim in judge(best, margin)
        ]
    else:
        claims = judge(best, margin, compare_at_best_rates(runs))
    claims = [
        replace(claim, name=f"{claim.name}, best lr", notes=claim.notes + notes) for claim in claims
    ]
    pair = family_pair(runs)
    for lr, part in runs.groupby(LR):
        for one in (judge_no_degradation(part, margin, pair), judge_fix(part, margin, pair)):
            claims[-1].evidence.append(f"lr {lr:g}, {one.name}: {one.verdict} ({one.decisive})")
    caption = (
        "Training error of the last iteration, mean over seeds, by learning rate and depth; the lowest of each column "
        "is framed. Diverged runs count at chance."
    )
    figures = {"learning-rate": (learning_rate_map.plot(frame), caption)}
    return Comparison("learning-rate", "Learning rate", claims, build_table(runs, LR), figures)


def _incomplete(runs: pd.DataFrame) -> list[str]:
    """Why no rate can be called a net's best.

    Runs that are not over or are there twice, nets that were not tried at every rate, rates with one seed.
    """
    reasons = [
        f"{len(part)} of {len(runs)} runs are {state}, so a best rate is not known"
        for state, part in runs[~runs["state"].isin([*FINISHED_STATES])].groupby("state")
    ]
    for (family, depth, lr), part in runs.groupby(["family", "depth", LR]):
        net = f"{family}-{depth}"
        reasons += repeated_seeds(part, f"{net} at lr {lr:g}")
        if part["seed"].nunique() < 2:
            reasons.append(f"{net} has one seed at lr {lr:g}; an interval needs two")
    tried = {
        tuple(sorted(zip(part[LR], part["seed"], strict=True)))
        for _, part in runs.groupby(["family", "depth"])
    }
    if len(tried) > 1:
        reasons.append("not every net was trained at the same rates with the same seeds")
    return reasons


def compare_at_best_rates(runs: pd.DataFrame) -> Compare:
    """The difference of two nets, each at its best rate of all that these runs were trained at."""

    def by_rate(part: pd.DataFrame) -> list[list[float]]:
        net = (runs["family"] == part["family"].iloc[0]) & (runs["depth"] == part["depth"].iloc[0])
        return [of_rate[TRAINING_ERROR].tolist() for _, of_rate in runs[net].groupby(LR)]

    def compare(a: pd.DataFrame, b: pd.DataFrame) -> DifferenceOfMinima:
        return difference_of_minima(by_rate(a), by_rate(b), error_resolution(runs))

    return compare


def select_best_rates(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The runs of each family and depth at the rate with the lowest mean training error; and notes on which those are.

    The rate is chosen by the runs that are then compared, which the bounds have to pay for (`compare_at_best_rates`).
    """
    kept, chosen, at_edge = [], [], []
    for (family, depth), part in runs.groupby(["family", "depth"]):
        over = part[part["state"].isin([*FINISHED_STATES])]
        means = over.groupby(LR)[TRAINING_ERROR].mean()
        lr = means.idxmin() if len(means) else part[LR].min()
        kept.append(part[part[LR] == lr])
        chosen.append(f"{family}-{depth} {lr:g}")
        if lr in (part[LR].min(), part[LR].max()):
            at_edge.append(f"{family}-{depth}")
    notes = [
        f"best lr by the mean of the same runs: {', '.join(chosen)}",
        "the bounds pay for that choice: they hold whichever rate is the best (Bonferroni over the rates of one net)",
    ]
    if runs.groupby(["family", "depth", LR])["seed"].nunique().min() == 2:
        notes.append(
            "with two seeds at a rate, bounds that pay for the choice seldom decide; three seeds mostly do"
        )
    if at_edge:
        notes.append(
            f"best at the edge of the rates tried, so a better one may lie beyond: {', '.join(at_edge)}"
        )
    return pd.concat(kept), notes
