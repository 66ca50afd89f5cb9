"""At which values of a factor do networks with shortcuts not get worse with depth?"""

from analysis.claim import RunsByDepth, Verdict, training_error_difference
from analysis.claims import judge_no_degradation
from analysis.factors import Stratum
from analysis.family_pairs import family_pair
from analysis.frame import group_by_depth
from analysis.multiple_testing import select_directions


def judge_fixes(stratum: Stratum, margin: float) -> dict[str, Verdict]:
    """Return the verdict that networks with shortcuts do not degrade, by the value's label.

    By itself, each verdict would be that of the claim about no degradation. Together they hold with
    95 % confidence (`select_directions`): a value that only its own verdict decides is open.
    """
    verdicts: dict[str, Verdict] = {}
    p_stable: dict[str, float] = {}
    p_worse: dict[str, float] = {}
    for value, condition in stratum.conditions.items():
        label = stratum.labels[value]
        runs = condition.frame.runs
        verdicts[label] = judge_no_degradation(runs, margin).verdict
        if verdicts[label] in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
            groups = group_by_depth(runs, family_pair(runs).residual)
            p_stable[label], p_worse[label] = _test_stability(groups, margin)
        elif verdicts[label] is Verdict.INCONCLUSIVE:
            p_stable[label] = p_worse[label] = 1.0
    worse, stable = select_directions(p_worse, p_stable)
    return {label: _correct(verdicts[label], label in (*worse, *stable)) for label in verdicts}


def _test_stability(groups: RunsByDepth, margin: float) -> tuple[float, float]:
    """Return the p-values for no depth being worse than the shallowest one, and for one being so.

    For the first, every depth must be better than the margin, so the largest p-value counts. For
    the second, any depth suffices, so the smallest one is multiplied by their number (Bonferroni).
    """
    shallowest = groups[min(groups)]
    differences = [
        training_error_difference(runs, shallowest)
        for depth, runs in groups.items()
        if depth != min(groups)
    ]
    p_below = max(difference.p_below(margin) for difference in differences)
    p_above = min(difference.p_above(margin) for difference in differences)
    return p_below, min(1.0, len(differences) * p_above)


def _correct(verdict: Verdict, holds_jointly: bool) -> Verdict:
    is_settled = verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    return Verdict.INCONCLUSIVE if is_settled and not holds_jointly else verdict
