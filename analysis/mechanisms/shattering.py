"""Do gradients shatter? Their correlation at neighbouring inputs (Balduzzi et al. 2017)."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from analysis.claim import (
    MORE_DEPTHS,
    Claim,
    Decision,
    Verdict,
    count_seeds_if_open,
    decide,
)
from analysis.claim_names import SHATTERED_GRADIENTS
from analysis.difference_line import EvidenceLine
from analysis.estimates import Difference, Interval
from analysis.family_pairs import FamilyPair, family_pair
from analysis.figures import shattering as figure
from analysis.frame import Frame, group_by_depth
from analysis.grouped_values import group_values
from analysis.mechanism_texts import shattering as texts
from analysis.mechanisms import depth_tests
from analysis.mechanisms.base import (
    KNOWN_VALUES,
    MEASUREMENT_KEYS,
    NEGLIGIBLE_FRACTION,
    Explanation,
    account_for_missing_runs,
    is_shown_within,
)
from analysis.mechanisms.depth_tests import DecreasingTrend
from analysis.plain_words import UNKNOWN_VALUE, add_doubt
from analysis.probes import INITIALISATION
from analysis.requirements import missing_requirements
from analysis.statistics import student_interval
from degradation.metrics import ITERATION

POSITION = 3
PROBE = "shattering"
TREND = 0  # key of the trend among the differences, whose other keys are depths
SCALE = "(correlation: 1 identical, 0 white noise)"


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain the correlation of gradients, or return None if the runs lack the probe."""
    table = frame.probes.get(PROBE)
    if table is None:
        return None
    values = select_nearest(table)
    at_start = values[values["time_point"] == INITIALISATION]
    figures = {"shattering": (figure.plot(table, at_start), figure.CAPTION)}
    claims, pair = judge(frame, margin), family_pair(frame.runs)
    return Explanation(
        "shattering",
        texts.TITLE,
        texts.write_introduction(claims, pair),
        claims,
        summarise(values),
        figures,
        texts.DETAILS,
        texts.list_lead(claims, pair),
    )


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return the claim on the correlation at initialisation."""
    values = select_nearest(frame.probes[PROBE])
    at_start = values[values["time_point"] == INITIALISATION]
    notes = depth_tests.describe_unusable_runs(frame, at_start, "correlation")
    pair = family_pair(frame.runs)
    claim = judge_correlation(at_start, pair, notes)
    return [account_for_missing_runs(claim, frame.runs, at_start, [pair.plain, pair.residual])]


def select_nearest(table: pd.DataFrame) -> pd.DataFrame:
    """Select the correlation at the smallest distance above 0.

    `table`: rows of the probe `shattering`. Returns one row per run and time point, with `distance`
    (fraction of the line between two images) and `correlation` (cosine).
    """
    pairs_apart = table[table["distance"] > 0]
    smallest = pairs_apart.groupby(["run_id", ITERATION])["distance"].transform("min")
    nearest = pairs_apart.loc[
        pairs_apart["distance"] == smallest, [*MEASUREMENT_KEYS, "distance", "correlation"]
    ]
    return nearest.astype({"correlation": float}).reset_index(drop=True)


def judge_correlation(values: pd.DataFrame, pair: FamilyPair, notes: list[str]) -> Claim:
    """Judge whether the correlation decreases with depth, and is higher with shortcuts.

    Reproduced if both of these hold: plain networks show a decreasing trend over depth, and at
    every depth that both families have, the Welch lower bound of residual minus plain is above 0.
    Contradicted if any of these bounds lies on the other side, with Holm's correction for the
    number of bounds, including that of the trend (`decide`). The claim is about a direction, so it
    has no margin.

    Args:
        values: rows of `select_nearest` at initialisation.
        pair: the two families to compare.
        notes: caveats to show with the evidence.
    """
    name = SHATTERED_GRADIENTS
    statement = (
        "at initialisation, the gradients of neighbouring inputs become less alike as "
        f"{pair.plain} networks get deeper, and are more alike in {pair.residual} networks of the "
        "same depth"
    )
    families = {family: group_by_depth(values, family) for family in (pair.plain, pair.residual)}
    reasons = missing_requirements(families, depths=2, shared=True, kind="probed")
    if reasons:
        return Claim.not_tested(name, statement, reasons)

    plain = group_values(values, pair.plain, "correlation")
    residual = group_values(values, pair.residual, "correlation")
    trend = depth_tests.measure_trend(plain)
    differences = depth_tests.compute_differences(residual, plain)
    decided = {TREND: -trend.difference, **differences}
    decision = decide(decided, "above", 0.0)
    verdict = decision.verdict
    if verdict is Verdict.REPRODUCED and not trend.has_trend:
        verdict = Verdict.INCONCLUSIVE
    decisive_line = _format_decisive_line(verdict, decision, trend, differences, pair)

    trend_label = f"{pair.plain}, {trend.line.label}"
    comparison = f"{pair.residual} minus {pair.plain}"
    lines = depth_tests.describe_depths(plain, residual, differences, pair, comparison, decimals=3)
    evidence: list[EvidenceLine] = [
        replace(trend.line, label=trend_label),
        *(f"{pair.plain}, {line}" for line in trend.trend_lines),
        *lines.values(),
    ]
    deciding_label = ""  # unless one part contradicts, the verdict may rest on both
    if verdict is Verdict.CONTRADICTED:
        deciding_label = trend_label if decision.worst == TREND else lines[decision.worst].label
    weakest = min(differences.values(), key=lambda difference: difference.mean)
    plain_words = (
        "The similarity of neighbouring gradients (1: identical) changes by"
        f" {trend.difference.mean:+.2f} with depth in {pair.plain} networks; shortcuts add"
        f" {weakest.mean:+.2f} or more{add_doubt(verdict)}."
    )
    means = [trend.difference.mean, *(difference.mean for difference in differences.values())]
    if any(map(math.isnan, means)):
        plain_words = UNKNOWN_VALUE
    return Claim(
        name,
        statement,
        verdict,
        decisive_line,
        evidence,
        notes,
        plain_words=plain_words,
        is_negligible=_is_negligible(verdict, decision, trend, differences),
        depths=(trend.shallowest, trend.deepest),
        deciding_label=deciding_label,
        bound_count=decision.bound_count,
        remedy=_choose_remedy(verdict, decision, decided),
        seeds_needed=count_seeds_if_open(decision, decided, "above", 0.0),
    )


def _is_negligible(
    verdict: Verdict,
    decision: Decision[int],
    trend: DecreasingTrend,
    differences: Mapping[int, Difference],
) -> bool:
    """Return whether the verdict rests on an effect that is too small to matter.

    A reproduced claim needs both the decrease and the lead; one part alone can contradict.
    """
    if verdict is Verdict.INCONCLUSIVE:
        return False
    is_small = {
        depth: is_shown_within(difference, NEGLIGIBLE_FRACTION)
        for depth, difference in differences.items()
    }
    is_decrease_small = is_shown_within(trend.difference, NEGLIGIBLE_FRACTION)
    if verdict is Verdict.REPRODUCED:
        return is_decrease_small or all(is_small.values())
    return is_decrease_small if decision.worst == TREND else is_small[decision.worst]


def _choose_remedy(
    verdict: Verdict, decision: Decision[int], decided: Mapping[int, Difference]
) -> str:
    """Return what may settle an inconclusive claim, if that is not more seeds; or empty text."""
    if verdict is not Verdict.INCONCLUSIVE:
        return ""
    if any(math.isnan(difference.mean) for difference in decided.values()):
        return KNOWN_VALUES
    return MORE_DEPTHS if decision.verdict is Verdict.REPRODUCED else ""


def _format_decisive_line(
    verdict: Verdict,
    decision: Decision[int],
    trend: DecreasingTrend,
    differences: dict[int, Difference],
    pair: FamilyPair,
) -> str:
    """Return the bound that contradicts, or the weakest bound of each decisive part of the claim.

    If the verdict is reproduced, both parts are decisive; otherwise, the parts that the data do not
    establish.
    """
    difference_label = f"{pair.residual} minus {pair.plain}, worst case"
    if verdict is Verdict.CONTRADICTED:
        if decision.worst == TREND:
            # The decision used the negated difference, whose upper bound is minus the lower bound
            # of the difference.
            return f"{pair.plain}, {trend.format_line('lower', decision.bound_count)} {SCALE}"
        return f"{difference_label}, {depth_tests.format_worst(differences, decision)} {SCALE}"
    weakest = min(differences, key=lambda depth: _lower_bound(differences[depth]))
    is_decreasing = trend.verdict is Verdict.REPRODUCED
    is_higher = all(difference.lower > 0 for difference in differences.values())
    lines = []
    if verdict is Verdict.REPRODUCED or not is_decreasing:
        lines.append(f"{pair.plain}, {trend.format_line('upper')}")
    if verdict is Verdict.REPRODUCED or not is_higher:
        line = depth_tests.format_worst(differences, Decision(verdict, weakest, "lower", 1))
        lines.append(f"{difference_label}, {line}")
    return f"{'; '.join(lines)} {SCALE}"


def _lower_bound(difference: Difference) -> float:
    """Return the lower bound, or minus infinity if it is not known."""
    return -math.inf if math.isnan(difference.lower) else difference.lower


def summarise(values: pd.DataFrame) -> pd.DataFrame:
    """Summarise the correlation at the smallest distance over seeds.

    Returns one row per family, depth and time point, with the mean and its 95 % Student-t
    confidence interval.
    """
    rows = []
    for (family, depth, _), group in values.groupby(["family", "depth", ITERATION]):
        correlations = group["correlation"].dropna().tolist()
        interval = Interval(math.nan, math.nan, math.nan, 0)
        if correlations:
            interval = student_interval(correlations)
        rows.append(
            {
                "family": family,
                "depth": depth,
                "time_point": group["time_point"].iloc[0],
                "runs": len(correlations),
                "distance": group["distance"].iloc[0],
                "correlation": interval.mean,
                "low": interval.low,
                "high": interval.high,
            }
        )
    return pd.DataFrame(rows)
