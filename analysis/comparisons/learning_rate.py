"""Do degradation and its fix persist when each network is trained at its own best learning rate?

The best learning rate of a network is estimated from the same runs that are then compared. The
lowest of several means is therefore biased downwards, and the bias grows with the spread of the
runs. In a simulation (3 seeds, 4 rates that are truly equal, a deep network with a standard
deviation of 3 points, a shallow one with 0.2, and an excess of exactly the margin)

- bounds that ignore the choice show "no degradation" in 14 % of the trials;
- choosing the rate for each seed by the other seeds does so in 10 %, and shows a degradation that
  does not exist in up to 19 %: the seeds' values are then correlated, and a noisy network gets
  worse rates;
- bounds that account for the choice (statistics.DifferenceOfMinima) are wrong in at most 5 %.

The last kind is used. They cost power: for networks without an excess, a spread of 0.3 points and a
margin of 2, no degradation is shown in 98 % of the trials with three seeds, but in only 10 to 15 %
with two.
"""

from dataclasses import replace

import pandas as pd

from analysis import claims as main_claims
from analysis.claim import Claim, Compare, coarsest_resolution
from analysis.claims import judge_fix, judge_no_degradation
from analysis.columns import TRAINING_ERROR
from analysis.comparisons.base import FactorSection
from analysis.estimates import DifferenceOfMinima
from analysis.figures import learning_rate_map
from analysis.finished_runs import is_finished, select_finished
from analysis.gap import Reason
from analysis.requirements import count_runs, repeated_seeds
from analysis.statistics import difference_of_minima

KEY = "config.optim.lr"


def judge(runs: pd.DataFrame, margin: float) -> list[Claim]:
    """Return the claims at each network's best learning rate.

    The verdicts at each learning rate are evidence.
    """
    *claims, last = _judge_at_best_rates(runs, margin)
    evidence = [*last.evidence_lines, *_judge_at_each_rate(runs, margin)]
    return [*claims, replace(last, evidence_lines=evidence)]


def _judge_at_best_rates(runs: pd.DataFrame, margin: float) -> list[Claim]:
    """Return the claims about the networks, each at its best learning rate.

    The claims are not tested if the best learning rates are unknown.
    """
    best, notes = select_best_rates(runs)
    reasons = _find_gaps(runs)
    if reasons:
        claims = [
            Claim.not_tested(claim.name, claim.statement, reasons, claim.notes)
            for claim in main_claims.judge(best, margin)
        ]
    else:
        claims = main_claims.judge(best, margin, compare_at_best_rates(runs))
    return [
        replace(claim, name=f"{claim.name}, best learning rates", notes=claim.notes + notes)
        for claim in claims
    ]


def _judge_at_each_rate(runs: pd.DataFrame, margin: float) -> list[str]:
    """Return lines of evidence: the verdicts at each rate that the runs were trained at."""
    lines = []
    for lr, group in runs.groupby(KEY):
        claims = (judge_no_degradation(group, margin), judge_fix(group, margin))
        lines += [
            f"lr {lr:g}, {claim.name}: {claim.verdict} ({claim.decisive_line})" for claim in claims
        ]
    return lines


def _find_gaps(runs: pd.DataFrame) -> list[Reason]:
    """Return why the best learning rates are unknown, or an empty list if they are known.

    The reasons are unfinished runs, repeated seeds, rates with a single seed, and networks that
    were not trained at every rate.
    """
    reasons: list[Reason] = []
    unfinished = runs[~is_finished(runs)]
    for state, group in unfinished.groupby("state"):
        counts = count_runs(len(group), len(runs), str(state))
        reasons.append(f"{counts}, so the best learning rate is unknown")
    for (family, depth, lr), group in runs.groupby(["family", "depth", KEY]):
        network = f"{family}-{depth}"
        reasons += repeated_seeds(group, f"{network} at lr {lr:g}")
        if group["seed"].nunique() < 2:
            reasons.append(f"{network} has one seed at lr {lr:g}; an interval needs two")
    tried = {
        tuple(sorted(zip(group[KEY], group["seed"], strict=True)))
        for _, group in runs.groupby(["family", "depth"])
    }
    if len(tried) > 1:
        reasons.append(
            "the networks were not all trained at the same learning rates with the same seeds"
        )
    return reasons


def compare_at_best_rates(runs: pd.DataFrame) -> Compare:
    """Return a function that compares two networks, each at its best learning rate in `runs`."""

    def errors_by_rate(network: pd.DataFrame) -> list[list[float]]:
        family, depth = network["family"].iloc[0], network["depth"].iloc[0]
        same_network = runs[(runs["family"] == family) & (runs["depth"] == depth)]
        return [group[TRAINING_ERROR].tolist() for _, group in same_network.groupby(KEY)]

    def compare(a: pd.DataFrame, b: pd.DataFrame) -> DifferenceOfMinima:
        return difference_of_minima(errors_by_rate(a), errors_by_rate(b), coarsest_resolution(runs))

    return compare


def select_best_rates(runs: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the runs of each network at its rate of lowest mean training error, and notes.

    The notes list these rates. They are chosen by the runs that are then compared; the bounds of
    `compare_at_best_rates` account for that.
    """
    selected, rates, at_edge = [], [], []
    for (family, depth), group in runs.groupby(["family", "depth"]):
        finished = select_finished(group)
        means = finished.groupby(KEY)[TRAINING_ERROR].mean()
        lr = means.idxmin() if len(means) else group[KEY].min()
        selected.append(group[group[KEY] == lr])
        rates.append(f"{family}-{depth} {lr:g}")
        if lr in (group[KEY].min(), group[KEY].max()):
            at_edge.append(f"{family}-{depth}")
    notes = [
        f"best learning rates by the means of the same runs: {', '.join(rates)}",
        "the bounds account for this choice: they hold whichever rate is the best (Bonferroni over"
        " the rates of one network)",
    ]
    if runs.groupby(["family", "depth", KEY])["seed"].nunique().min() == 2:
        notes.append(
            "with two seeds per learning rate, bounds that account for the choice rarely decide;"
            " with three they usually do"
        )
    if at_edge:
        notes.append(
            "the best learning rate is the lowest or highest that was tried, so a better one may"
            f" lie outside this range: {', '.join(at_edge)}"
        )
    return pd.concat(selected), notes


SECTION = FactorSection(
    title="Learning rate",
    name="learning-rate",
    axis="learning rate",
    caption="Training error of the last iteration by learning rate.",
    judge=judge,
    plot=learning_rate_map.plot,
    plot_caption=(
        "Training error of the last iteration by learning rate and depth. The lowest error of each"
        " column is outlined. Diverged runs count as chance error."
    ),
)
