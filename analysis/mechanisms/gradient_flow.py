"""Does the gradient vanish? Its norm at every block (He et al. 2015, 4.1: "healthy norms")."""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.claim import Claim, Decision, Verdict, count_seeds_if_open, decide
from analysis.claim_names import name_healthy_gradients
from analysis.claims import judge_degradation
from analysis.error_increase import select_better_than_chance
from analysis.estimates import Difference
from analysis.evidence import format_bound
from analysis.family_pairs import FamilyPair, family_pair
from analysis.figures import gradient_flow as figure
from analysis.frame import Frame, group_by_depth
from analysis.mechanism_texts import gradient_flow as texts
from analysis.mechanisms.base import (
    KNOWN_VALUES,
    MEASUREMENT_KEYS,
    Explanation,
    account_for_missing_runs,
    find_unprobed,
)
from analysis.mechanisms.gradient_patterns import classify_gradients, classify_mean
from analysis.plain_text import write_reason
from analysis.plain_words import add_doubt
from analysis.requirements import missing_requirements
from analysis.statistics import mean_estimate
from degradation.counting import format_count
from degradation.metrics import ITERATION

Array = NDArray[Any]

POSITION = 2
PROBE = "gradient_flow"
MAX_SPAN = 100.0  # largest norm over smallest across the blocks: two orders of magnitude


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain the norms of the gradients, or return None if the runs lack the probe."""
    table = frame.probes.get(PROBE)
    if table is None:
        return None
    norm_of_inputs = figure.plot(table, "input_gradient", "norm of $dE/dx$")
    norm_of_weights = figure.plot(table, "weight_gradient", "norm of $dE/dW$")
    figures = {
        "gradient-flow": (norm_of_inputs, figure.CAPTION),
        "gradient-flow-weights": (norm_of_weights, figure.WEIGHTS_CAPTION),
    }
    spans = measure_spans(table)
    claims, pair = judge(frame, margin), family_pair(frame.runs)
    patterns = classify_gradients(spans[spans["family"] == pair.plain], MAX_SPAN)
    degraded_depth = _find_degraded_depth(frame, margin, pair)
    return Explanation(
        "gradient-flow",
        texts.TITLE,
        texts.write_introduction(claims, pair, patterns, degraded_depth),
        claims,
        summarise(spans),
        figures,
        texts.DETAILS,
        texts.list_lead(claims, pair, patterns, degraded_depth),
    )


def _find_degraded_depth(frame: Frame, margin: float, pair: FamilyPair) -> int | None:
    """Return the depth at which degradation of the plain networks is shown, or None.

    It is the deepest one that is better than chance, which is compared with the shallowest one.
    """
    if judge_degradation(frame.runs, margin).verdict is not Verdict.REPRODUCED:
        return None
    return max(select_better_than_chance(group_by_depth(frame.runs, pair.plain)))


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return one claim per family: that its gradient norms are healthy."""
    spans = measure_spans(frame.probes[PROBE])
    pair = family_pair(frame.runs)
    probed_families = set(spans["family"])
    families = [family for family in (pair.residual, pair.plain) if family in probed_families]
    return [
        account_for_missing_runs(
            judge_norms(spans, frame.runs, family), frame.runs, spans, [family]
        )
        for family in families
    ]


def measure_spans(table: pd.DataFrame) -> pd.DataFrame:
    """Measure how much the gradient norms of each network differ between blocks.

    Args:
        table: rows of the probe `gradient_flow`, one per run, iteration and block. The last row
            of a network is after its last block and has no weights.

    Returns:
        One row per run and iteration. `first`, `last`: norm of dE/dx at the first block and after
        the last. `span`: largest norm over smallest, or NaN if a norm is zero or not finite.
        `weight_span`: the same for dE/dW. `grows_backwards`: whether the largest norm is nearer to
        the image than the smallest.
    """
    blocks = table.sort_values([*MEASUREMENT_KEYS, "block"], kind="stable")
    # Each run and iteration is a contiguous segment of rows, from its first block to its last.
    starts = np.flatnonzero(~blocks.duplicated(MEASUREMENT_KEYS))
    ends = np.append(starts[1:], len(blocks)) - 1
    norms = blocks["input_gradient"].to_numpy(float, copy=True)
    weight_norms = blocks["weight_gradient"].to_numpy(float, copy=True)
    # The last row has no weights; the first block's norm in its place changes no extreme.
    weight_norms[ends] = np.where(ends > starts, weight_norms[starts], math.nan)
    largest_at = _locate_extreme(np.maximum, norms, starts)
    smallest_at = _locate_extreme(np.minimum, norms, starts)
    spans = blocks.iloc[starts][MEASUREMENT_KEYS].reset_index(drop=True)
    return spans.assign(
        first=norms[starts],
        last=norms[ends],
        span=_divide_extremes(norms, starts),
        weight_span=_divide_extremes(weight_norms, starts),
        grows_backwards=largest_at < smallest_at,
    )


def _divide_extremes(norms: Array, starts: Array) -> Array:
    """Return largest over smallest norm of each segment, or NaN if one is zero or NaN."""
    smallest = np.minimum.reduceat(norms, starts)
    largest = np.maximum.reduceat(norms, starts)
    nan = np.full(len(starts), math.nan)
    spans: Array = np.divide(largest, smallest, out=nan, where=smallest > 0)
    return spans


def _locate_extreme(extreme: np.ufunc, norms: Array, starts: Array) -> Array:
    """Return the first row of each segment that holds its extreme norm.

    `extreme`: np.maximum or np.minimum. A norm that is NaN counts as infinite.
    """
    known_norms = np.where(np.isnan(norms), math.inf, norms)
    lengths = np.diff(starts, append=len(norms))
    extremes = np.repeat(extreme.reduceat(known_norms, starts), lengths)
    rows = np.where(known_norms == extremes, np.arange(len(norms)), len(norms))
    first_rows: Array = np.minimum.reduceat(rows, starts)
    return first_rows


def judge_norms(spans: pd.DataFrame, runs: pd.DataFrame, family: str) -> Claim:
    """Judge whether the gradient has a similar size at all blocks of a network.

    The mean log10 of the span is bounded at every depth and time point. Reproduced if every
    one-sided 95 % Student-t bound is below the limit. Contradicted if any is above it, with Holm's
    correction for the number of bounds (`decide`).

    Args:
        spans: rows of `measure_spans`.
        runs: rows of `Frame.runs`.
        family: the family to judge.
    """
    name = name_healthy_gradients(family)
    statement = (
        f"{family} networks: at every depth and time point in training the norm of dE/dx varies by "
        f"less than a factor of {MAX_SPAN:g} between blocks"
    )
    spans = spans[spans["family"] == family]
    notes = find_unprobed(runs[runs["family"] == family], spans)
    reasons = missing_requirements({family: group_by_depth(spans, family)}, depths=1)
    if reasons:
        return Claim.not_tested(name, statement, reasons, notes)

    bounds, unknown_notes, single_run_notes = _bound_spans(spans)
    evidence = _describe_depths(spans)
    if not bounds:
        notes += single_run_notes
        return _leave_open(name, statement, unknown_notes, evidence, notes)

    limit = math.log10(MAX_SPAN)
    decision = decide(bounds, "below", limit)
    verdict = decision.verdict
    unbounded = [*unknown_notes, *single_run_notes]
    if verdict is Verdict.REPRODUCED and unbounded:
        verdict = Verdict.INCONCLUSIVE  # what has no bound might contradict
    decisive_line = "; ".join([_format_worst(bounds, decision), *unbounded])
    factor = _format_factor(bounds[decision.worst].mean)
    return Claim(
        name,
        statement,
        verdict,
        decisive_line,
        evidence,
        notes,
        plain_words=(
            f"At {decision.worst}, the gradient in {family} networks varies by a factor of {factor}"
            f" between blocks, the case that decides{add_doubt(verdict)}."
        ),
        remedy=KNOWN_VALUES if unknown_notes and verdict is Verdict.INCONCLUSIVE else "",
        seeds_needed=count_seeds_if_open(decision, bounds, "below", limit),
    )


def _leave_open(
    name: str, statement: str, unknown_notes: list[str], evidence: list[str], notes: list[str]
) -> Claim:
    """Return the claim if no depth and time point has a bound.

    `unknown_notes`: one sentence for each depth and time point with an unknown span.
    """
    decisive_line = "; ".join(unknown_notes) or "no time point at which two runs were probed"
    return Claim(
        name,
        statement,
        Verdict.INCONCLUSIVE,
        decisive_line,
        evidence,
        notes,
        plain_words=write_reason(decisive_line),
        remedy=KNOWN_VALUES if unknown_notes else "",
    )


def _format_worst(bounds: dict[str, Difference], decision: Decision[str]) -> str:
    """Return the depth and time point that a verdict rests on, with the factor and its bound."""
    worst = bounds[decision.worst]
    line = format_bound(worst, decision.side, decision.bound_count, _format_factor, unit="")
    return f"worst case, {decision.worst}: factor {line} (limit {MAX_SPAN:g})"


def _bound_spans(spans: pd.DataFrame) -> tuple[dict[str, Difference], list[str], list[str]]:
    """Estimate the mean log10 of the span at each depth and time point.

    Returns the estimates by depth and time point, one sentence for each depth and time point with
    an unknown span, and one for each at which only one run was probed; these two have no bound.
    """
    bounds: dict[str, Difference] = {}
    unknown_notes, single_run_notes = [], []
    for (depth, _), group in spans.groupby(["depth", ITERATION]):
        label = f"{depth} layers, {group['time_point'].iloc[0]}"
        known_spans = group["span"].dropna()
        unknown_count = len(group) - len(known_spans)
        if unknown_count:
            unknown_notes.append(
                f"{label}: gradient zero or not finite in {format_count(unknown_count, 'run')}"
            )
        elif len(known_spans) < 2:
            single_run_notes.append(f"{label}: one run, no bound")
        else:
            bounds[label] = mean_estimate(np.log10(known_spans).tolist())
    return bounds, unknown_notes, single_run_notes


def _describe_depths(spans: pd.DataFrame) -> list[str]:
    """Return one line per depth: the pattern and the mean span at each time point."""
    lines = []
    for depth, depth_rows in spans.groupby("depth"):
        time_points = []
        for _, group in depth_rows.groupby(ITERATION):
            mean = np.log10(group["span"].dropna()).mean()
            time_point = group["time_point"].iloc[0]
            pattern = classify_mean(group, MAX_SPAN)
            time_points.append(f"{time_point} {pattern} ({_format_factor(mean)})")
        lines.append(f"{depth} layers: {', '.join(time_points)}")
    return lines


def _format_factor(logarithm: float) -> str:
    """Format a factor that is given by its log10."""
    if math.isnan(logarithm):
        return "not finite"
    factor = 10.0 ** min(logarithm, 300.0)
    return f"{factor:.0f}" if 1 <= factor < 10_000 else f"{factor:.1g}"


def summarise(spans: pd.DataFrame) -> pd.DataFrame:
    """Summarise the spans over seeds.

    Returns one row per family, depth and time point, with geometric means over seeds; a mean is NaN
    if a norm is zero or not finite.
    """
    rows = []
    for (family, depth, iteration), group in spans.groupby(["family", "depth", ITERATION]):
        row = {
            "family": family,
            "depth": depth,
            ITERATION: iteration,
            "pattern": str(classify_mean(group, MAX_SPAN)),
            "runs": len(group),
        }
        for name in ("first", "last", "span", "weight_span"):
            row[f"{name}_gmean"] = _geometric_mean(group[name])
        rows.append(row)
    return pd.DataFrame(rows)


def _geometric_mean(values: pd.Series) -> float:
    """Return NaN unless all values are positive."""
    if not (values > 0).all():
        return math.nan
    return float(10 ** np.log10(values.astype(float)).mean())
