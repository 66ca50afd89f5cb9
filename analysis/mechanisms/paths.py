"""Along which paths does the gradient flow? (Veit et al. 2016, 4.2 and figure 6.)"""

import math
from typing import Any

import pandas as pd

from analysis.claim import Claim, Decision, Verdict, count_seeds_if_open, decide
from analysis.claim_names import SHORT_PATHS
from analysis.estimates import Difference
from analysis.evidence import format_bound
from analysis.family_pairs import family_pair
from analysis.figures import paths as figure
from analysis.frame import Frame, group_by_depth
from analysis.gap import Reason
from analysis.grouped_values import group_known_values
from analysis.mechanism_texts import paths as texts
from analysis.mechanisms.base import (
    KNOWN_VALUES,
    MEASUREMENT_KEYS,
    NEGLIGIBLE_FRACTION,
    Explanation,
    account_for_missing_runs,
    find_unprobed,
    is_shown_within,
)
from analysis.plain_text import format_amount, join_words
from analysis.plain_words import add_doubt
from analysis.probes import END, INITIALISATION
from analysis.requirements import missing_requirements
from analysis.statistics import mean_estimate, student_interval
from degradation.metrics import ITERATION

POSITION = 5
PROBE = "paths"
CENTRAL_SHARE = 0.95  # fraction of the norms within the reported lengths; the rest is split equally


def build(frame: Frame, margin: float) -> Explanation | None:
    """Explain the paths, or return None if the runs lack the probe."""
    table = frame.probes.get(PROBE)
    if table is None:
        return None
    lengths = measure_lengths(table)
    figures = {"paths": (figure.plot(table, lengths), figure.CAPTION)}
    claims, pair = judge(frame, margin), family_pair(frame.runs)
    return Explanation(
        "paths",
        texts.TITLE,
        texts.write_introduction(claims, pair),
        claims,
        summarise(lengths),
        figures,
        texts.DETAILS,
        texts.list_lead(claims, pair),
    )


def judge(frame: Frame, _margin: float) -> list[Claim]:
    """Return the claim that the gradient flows along short paths."""
    lengths = measure_lengths(frame.probes[PROBE])
    family = family_pair(frame.runs).residual
    claim = judge_lengths(lengths, frame.runs, family)
    at_end = lengths[lengths["time_point"] == END]
    return [account_for_missing_runs(claim, frame.runs, at_end, [family])]


def measure_lengths(table: pd.DataFrame) -> pd.DataFrame:
    """Measure the effective path length of each run and time point.

    Args:
        table: rows of the probe `paths`, one per run, iteration and length. `sum_gradient` is the
            norm of the sum of the gradients of all paths of that length.

    Returns:
        One row per run and iteration. `effective`: mean length in blocks, weighted by the norms.
        `blocks`: n. `excess`: effective minus n/2. `from` and `to`: lengths between which 95 % of
        the summed norms lie. All but `blocks` are NaN if a norm is not finite or all are zero.
    """
    rows: list[dict[str, Any]] = []
    for _, group in table.groupby(MEASUREMENT_KEYS, sort=True):
        norms = group.set_index("length")["sum_gradient"].astype(float).sort_index()
        n = int(norms.index.max())
        row = {key: group[key].iloc[0] for key in MEASUREMENT_KEYS}
        row |= _measure_norms(norms)
        rows.append(row | {"blocks": n, "excess": row["effective"] - n / 2})
    return pd.DataFrame(rows)


def _measure_norms(norms: pd.Series) -> dict[str, float]:
    """Return the effective length and the central range of norms that are indexed by length."""
    total = float(norms.sum(skipna=False))
    if not 0 < total < math.inf:
        return {"effective": math.nan, "from": math.nan, "to": math.nan}
    cumulative = norms.to_numpy().cumsum() / total
    return {
        "effective": float((norms * norms.index).sum()) / total,
        "from": float((cumulative >= (1 - CENTRAL_SHARE) / 2).argmax()),
        "to": float((cumulative >= (1 + CENTRAL_SHARE) / 2).argmax()),
    }


def judge_lengths(lengths: pd.DataFrame, runs: pd.DataFrame, family: str) -> Claim:
    """Judge whether the effective length is below n/2 at the end of training, at every depth.

    Reproduced if every one-sided 95 % Student-t bound of effective minus n/2 is below 0.
    Contradicted if any is above 0, with Holm's correction for the number of bounds (`decide`). The
    claim is about a direction and has no margin, so its decisive line states the difference from
    n/2.

    Args:
        lengths: rows of `measure_lengths`.
        runs: rows of `Frame.runs`.
        family: the family with shortcuts.
    """
    name = SHORT_PATHS
    statement = (
        f"{family} networks: at the end of training and at every depth, the gradient flows "
        "along paths shorter than the mean path"
    )
    family_rows = lengths[lengths["family"] == family]
    start = family_rows[family_rows["time_point"] == INITIALISATION]
    end = family_rows[family_rows["time_point"] == END]
    reasons = _find_missing(end, family)
    if reasons:
        return Claim.not_tested(name, statement, reasons)

    unknown_runs = end.loc[end["excess"].isna(), "run_id"]
    notes = [f"the gradient of {run_id} is zero or not finite: excluded" for run_id in unknown_runs]
    excesses = group_known_values(end, family, "excess")
    reasons = _find_unknown_depths(excesses, family)
    if reasons:
        return Claim.not_tested(name, statement, reasons, notes)

    bounds = {depth: mean_estimate(values) for depth, values in excesses.items()}
    decision = decide(bounds, "below", 0.0)
    verdict = decision.verdict
    if notes and verdict is Verdict.REPRODUCED:
        verdict = Verdict.INCONCLUSIVE  # the excluded runs might contradict

    notes += find_unprobed(runs[runs["family"] == family], end)
    evidence = _describe_depths(end, start, bounds)
    return Claim(
        name,
        statement,
        verdict,
        _format_worst(end, bounds, decision),
        evidence,
        notes,
        plain_words=_describe(end, decision.worst, verdict),
        is_negligible=verdict is not Verdict.INCONCLUSIVE and _is_negligible(end),
        depths=(decision.worst,),
        remedy=KNOWN_VALUES if len(unknown_runs) and verdict is Verdict.INCONCLUSIVE else "",
        seeds_needed=count_seeds_if_open(decision, bounds, "below", 0.0),
    )


def _describe(end: pd.DataFrame, worst: int, verdict: Verdict) -> str:
    """Return the lengths of paths at the depth that decides and at the deepest, in a sentence."""
    parts = []
    for depth in sorted({worst, int(end["depth"].max())}):
        group = end[end["depth"] == depth]
        half = group["blocks"].iloc[0] / 2
        length = format_amount(group["effective"].mean())
        parts.append(f"{length} blocks at {depth} layers (half of all: {half:g})")
    lengths = join_words(parts)
    return f"The gradient flows along paths of about {lengths}{add_doubt(verdict)}."


def _is_negligible(end: pd.DataFrame) -> bool:
    """Return whether bounds show that the effective length is practically n/2 at every depth."""
    fractions = (end["excess"] / (end["blocks"] / 2)).dropna()
    estimates = [mean_estimate(group.tolist()) for _, group in fractions.groupby(end["depth"])]
    return all(is_shown_within(estimate, NEGLIGIBLE_FRACTION) for estimate in estimates)


def _find_missing(end: pd.DataFrame, family: str) -> list[Reason]:
    """Return why the lengths at the end of training cannot be judged; the list may be empty."""
    if end.empty:
        return [f"no {family} network was probed at the end of its training"]
    return missing_requirements({family: group_by_depth(end, family)}, depths=1)


def _format_worst(end: pd.DataFrame, bounds: dict[int, Difference], decision: Decision[int]) -> str:
    """Return the depth that a verdict rests on, with its difference from n/2 and its bound."""
    worst = decision.worst
    n = int(end.loc[end["depth"] == worst, "blocks"].iloc[0])
    line = format_bound(
        bounds[worst], decision.side, decision.bound_count, show=_format_blocks, unit=" blocks"
    )
    difference = f"effective length minus n/2 = {n / 2:g} is {line}"
    return f"worst case, {worst} layers, {n} blocks: {difference}"


def _find_unknown_depths(excesses: dict[int, list[float]], family: str) -> list[Reason]:
    """Return a reason for each depth with fewer than two runs whose gradient is known."""
    depths = [depth for depth, values in excesses.items() if len(values) < 2]
    return [f"{family}-{depth}: fewer than two runs whose gradient is known" for depth in depths]


def _format_blocks(value: float) -> str:
    return f"{value:+.2f}"


def _describe_depths(
    end: pd.DataFrame, start: pd.DataFrame, bounds: dict[int, Difference]
) -> list[str]:
    """Return one line per depth: effective length, its bounds, and the range of lengths."""
    lines = []
    for depth, bound in bounds.items():
        at_end, at_start = end[end["depth"] == depth], start[start["depth"] == depth]
        n = int(at_end["blocks"].iloc[0])
        before = ""
        if len(at_start):
            before = f"; at initialisation {at_start['effective'].mean():.2f}"
        lines.append(
            f"{depth} layers, n = {n}: effective length {at_end['effective'].mean():.2f} against"
            f" n/2 = {n / 2:g}, one-sided 95 % bounds of the difference"
            f" {_format_blocks(bound.lower)}, {_format_blocks(bound.upper)};"
            f" {100 * CENTRAL_SHARE:.0f} % of the norms are at lengths {at_end['from'].min():.0f}"
            f" to {at_end['to'].max():.0f}{before}"
        )
    return lines


def summarise(lengths: pd.DataFrame) -> pd.DataFrame:
    """Summarise the effective lengths over seeds.

    Returns one row per family, depth and time point, with the mean in blocks and its 95 % Student-t
    confidence interval.
    """
    rows: list[dict[str, Any]] = []
    for (family, depth, iteration), group in lengths.groupby(
        ["family", "depth", ITERATION], sort=True
    ):
        known_rows = group.dropna(subset="effective")
        row = {
            "family": family,
            "depth": depth,
            ITERATION: iteration,
            "runs": len(group),
            "runs_known": len(known_rows),
            "blocks": group["blocks"].iloc[0],
            "mean_path": group["blocks"].iloc[0] / 2,
        }
        if len(known_rows):
            interval = student_interval(known_rows["effective"].tolist())
            row |= {
                "effective_length_mean": interval.mean,
                "effective_length_low": interval.low,
                "effective_length_high": interval.high,
                "95_percent_from": known_rows["from"].min(),
                "95_percent_to": known_rows["to"].max(),
            }
        rows.append(row)
    return pd.DataFrame(rows)
