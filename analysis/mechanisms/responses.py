"""Are the residual functions small? Layer responses (He et al. 2015, 4.2 and figure 7)."""

import math

import pandas as pd

from analysis.claim import Claim, Verdict, count_seeds_if_open, decide
from analysis.claim_names import WEAKER_RESPONSES, WEAKER_RESPONSES_WITH_DEPTH
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.estimates import Difference
from analysis.family_pairs import FamilyPair, family_pair
from analysis.figures import responses as figure
from analysis.frame import Frame, group_by_depth
from analysis.grouped_values import group_values
from analysis.mechanism_texts import responses as texts
from analysis.mechanisms import depth_tests
from analysis.mechanisms.base import (
    KNOWN_VALUES,
    MEASUREMENT_KEYS,
    Explanation,
    account_for_missing_runs,
    is_shown_within,
)
from analysis.plain_words import add_doubt, describe_value
from analysis.probes import END, INITIALISATION
from analysis.requirements import missing_requirements

POSITION = 6
PROBE = "responses"
KERNEL = 3  # the paper's figure shows the 3x3 layers
# Margin of both claims, which are about the size of an effect. BN starts each standard deviation at
# 1, so this is 5 % of the initial value. A difference that is significantly below the margin
# contradicts the claims, even if it is significantly above 0: it is negligible.
MARGIN = 0.05


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain the layer responses, or return None if no 3x3 layer was probed."""
    table = _select_table(frame)
    if table is None:
        return None
    values = average_layers(table)
    figures = {}
    at_end = values[values["time_point"] == END]
    if len(at_end):
        plot = figure.plot(table[table["time_point"] == END], at_end)
        figures["responses"] = (plot, figure.CAPTION)
    claims, pair = judge(frame, margin), family_pair(frame.runs)
    return Explanation(
        "responses",
        texts.TITLE,
        texts.write_introduction(claims, pair),
        claims,
        summarise(values),
        figures,
        texts.DETAILS,
        texts.list_lead(claims, pair),
    )


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return the two claims of the paper: weaker than plain, and weaker with depth."""
    table = _select_table(frame)
    if table is None:
        return []
    values = average_layers(table)
    at_end = values[values["time_point"] == END]
    pair = family_pair(frame.runs)
    plain_notes = list_notes(frame, at_end, pair.plain)
    residual_notes = list_notes(frame, at_end, pair.residual)
    families = judge_families(at_end, pair, [*plain_notes, *residual_notes])
    depth = judge_depth(at_end, pair.residual, residual_notes)
    return [
        account_for_missing_runs(families, frame.runs, at_end, [pair.plain, pair.residual]),
        account_for_missing_runs(depth, frame.runs, at_end, [pair.residual]),
    ]


def _select_table(frame: Frame) -> pd.DataFrame | None:
    """Return the probe's rows of 3x3 layers, or None if there are none."""
    table = frame.probes.get(PROBE)
    if table is None:
        return None
    table = table[table["kernel"] == KERNEL]
    return None if table.empty else table


def average_layers(table: pd.DataFrame) -> pd.DataFrame:
    """Average the standard deviations over the layers of a network.

    `table`: rows of the probe `responses`. Returns one row per run and time point with the column
    `std`, or NaN if that of any layer is NaN.
    """
    layers = table.astype({"deviation": float}).groupby(MEASUREMENT_KEYS)["deviation"]
    is_complete = layers.count() == layers.size()
    return layers.mean().where(is_complete).rename("std").reset_index()


def judge_families(values: pd.DataFrame, pair: FamilyPair, notes: list[str]) -> Claim:
    """Judge whether residual networks have weaker responses than plain ones, beyond the margin.

    Reproduced if the Welch lower bound of plain minus residual is above the margin at every depth
    that both have. Contradicted if the upper bound is below the margin at any depth, with Holm's
    correction for the number of bounds (`decide`).

    Args:
        values: rows of `average_layers` at the end of training.
        pair: the two families to compare.
        notes: caveats to show with the evidence.
    """
    name = WEAKER_RESPONSES
    statement = (
        f"{pair.residual} networks end with smaller standard deviations of layer responses than"
        f" {pair.plain} networks, by more than {MARGIN:g}"
    )
    families = {family: group_by_depth(values, family) for family in (pair.plain, pair.residual)}
    reasons = missing_requirements(families, depths=1, shared=True, kind="probed")
    if reasons:
        return Claim.not_tested(name, statement, reasons)

    plain = group_values(values, pair.plain, "std")
    residual = group_values(values, pair.residual, "std")
    differences = depth_tests.compute_differences(plain, residual)
    decision = decide(differences, "above", MARGIN)
    line = depth_tests.format_worst(differences, decision)
    decisive_line = f"{pair.plain} minus {pair.residual}, worst case, {line} (margin {MARGIN:g})"
    is_negligible = False
    if decision.verdict is Verdict.CONTRADICTED:
        decisive_line += _describe_contradiction(differences[decision.worst])
        is_negligible = is_shown_within(differences[decision.worst], MARGIN)

    comparison = f"{pair.plain} minus {pair.residual}"
    lines = depth_tests.describe_depths(plain, residual, differences, pair, comparison, decimals=4)
    mean = differences[decision.worst].mean
    is_open = decision.verdict is Verdict.INCONCLUSIVE
    are_some_unknown = any(math.isnan(difference.mean) for difference in differences.values())
    return Claim(
        name,
        statement,
        decision.verdict,
        decisive_line,
        [*lines.values()],
        notes,
        plain_words=describe_value(
            mean,
            f"At {decision.worst} layers {pair.plain} minus {pair.residual} responses are"
            f" {mean:+.2g}, where 1 is usual{add_doubt(decision.verdict)}.",
        ),
        is_negligible=is_negligible,
        depths=(decision.worst,),
        deciding_label=lines[decision.worst].label,
        bound_count=decision.bound_count,
        remedy=KNOWN_VALUES if is_open and are_some_unknown else "",
        seeds_needed=count_seeds_if_open(decision, differences, "above", MARGIN),
    )


def _describe_contradiction(difference: Difference) -> str:
    """Say whether a difference that contradicts a claim is negligible or has the opposite sign."""
    if difference.upper < 0 and difference.mean <= -MARGIN:
        return ": the difference has the opposite sign"
    return ": negligible" if is_shown_within(difference, MARGIN) else ""


def judge_depth(values: pd.DataFrame, family: str, notes: list[str]) -> Claim:
    """Judge whether the responses become weaker with depth, beyond the margin.

    Reproduced if there is a decreasing trend over depth and the Welch upper bound of deepest minus
    shallowest is below minus the margin. `values` and `notes`: see `judge_families`.
    """
    name = WEAKER_RESPONSES_WITH_DEPTH
    statement = (
        f"the deeper a {family} network, the smaller the standard deviations of its layer responses"
        f" at the end, by more than {MARGIN:g} from the shallowest to the deepest"
    )
    families = {family: group_by_depth(values, family)}
    reasons = missing_requirements(families, depths=2, kind="probed")
    if reasons:
        return Claim.not_tested(name, statement, reasons)

    groups = group_values(values, family, "std")
    trend = depth_tests.measure_trend(groups, MARGIN)
    decisive_line = f"{trend.decisive_line} (margin {MARGIN:g})"
    is_negligible = False
    if trend.verdict is Verdict.CONTRADICTED:
        decisive_line += _describe_contradiction(-trend.difference)
        is_negligible = is_shown_within(trend.difference, MARGIN)
    means = []
    for depth, stds in groups.items():
        means.append(f"{depth} layers: {depth_tests.format_mean(stds, decimals=4)}")
    means_line = f"means over seeds: {', '.join(means)}"
    mean = trend.difference.mean
    return Claim(
        name,
        statement,
        trend.verdict,
        decisive_line,
        [trend.line, *trend.trend_lines, means_line],
        notes,
        plain_words=describe_value(
            mean,
            f"From {trend.shallowest} to {trend.deepest} layers the responses of {family} networks"
            f" change by {mean:+.2g}, where 1 is usual{add_doubt(trend.verdict)}.",
        ),
        is_negligible=is_negligible,
        depths=(trend.shallowest, trend.deepest),
        deciding_label=trend.line.label,
        remedy=trend.remedy,
        seeds_needed=trend.seeds_needed,
    )


def list_notes(frame: Frame, values: pd.DataFrame, family: str) -> list[str]:
    """Return notes on the runs of one family, the untrained ones included.

    The responses of a network that has learned nothing say nothing about trained networks.
    """
    values = values[values["family"] == family]
    probed = frame.runs[frame.runs["run_id"].isin(values["run_id"])]
    notes = []
    for depth, are_at_chance in probed.groupby("depth")["untrained"]:
        if are_at_chance.any():
            notes.append(
                f"{int(are_at_chance.sum())} of {len(are_at_chance)} runs of {family}-{depth} are"
                f" no better than chance (within {UNTRAINED_WITHIN_POINTS:g} points of it) and are"
                " included"
            )
    return [*notes, *depth_tests.describe_unusable_runs(frame, values, "std")]


def summarise(values: pd.DataFrame) -> pd.DataFrame:
    """Summarise the mean standard deviations over seeds.

    Returns one row per family and depth: the mean at initialisation and at the end, and the
    smallest and largest value over runs at the end.
    """
    rows = []
    for (family, depth), group in values.groupby(["family", "depth"]):
        start = group.loc[group["time_point"] == INITIALISATION, "std"]
        end = group.loc[group["time_point"] == END, "std"]
        rows.append(
            {
                "family": family,
                "depth": depth,
                "runs": group["run_id"].nunique(),
                "std_initialisation": start.mean(),
                "std_end": end.mean(),
                "std_end_min": end.min(),
                "std_end_max": end.max(),
            }
        )
    return pd.DataFrame(rows)
