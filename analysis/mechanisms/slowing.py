"""Do residual networks slow down less with depth than plain ones? Slopes at several errors."""

import math
from collections.abc import Mapping
from fractions import Fraction

import pandas as pd

from analysis.claim import Claim, Side, Verdict
from analysis.claim_names import LESS_SLOWING
from analysis.estimates import CONFIDENCE
from analysis.family_pairs import FamilyPair
from analysis.frame import group_by_depth
from analysis.interval_censoring import EXPONENTIAL, GrowthFit
from analysis.lr_drops import list_own_changes
from analysis.mechanisms.base import NEGLIGIBLE_FRACTION
from analysis.mechanisms.growth import LAYERS, format_factor, format_fit, try_fit
from analysis.mechanisms.time_to_threshold import THRESHOLDS
from analysis.multiple_testing import bonferroni_level
from analysis.plain_words import add_doubt
from analysis.requirements import missing_requirements
from degradation.counting import format_count

PairOfFits = tuple[GrowthFit, GrowthFit]  # plain family, residual family


def judge_slowing(runs: pd.DataFrame, times: pd.DataFrame, pair: FamilyPair) -> Claim:
    """Judge whether residual networks slow down by a smaller factor per layer than plain ones.

    Reproduced if, at every fraction of chance error at which both families can be fitted, the upper
    bound of the residual slope is below the lower bound of the plain one. All must hold, so no
    correction for multiple testing is needed (intersection-union test), and no fraction can be
    cherry-picked. Contradicted if the opposite holds at any fraction, with bounds of level 1 -
    0.05/m for m fractions (Holm's first step).

    Half of chance error alone would not suffice: all residual networks of `quick` reach it before
    their first evaluation. (This rule was made after the curves of `quick` had been seen.) For both
    families, the whole training run counts, including the iterations after learning-rate drops.

    Args:
        runs: rows of `Frame.runs`.
        times: rows of `time_to_threshold.measure_times` of both families.
        pair: the families to compare.
    """
    name = LESS_SLOWING
    statement = (
        f"{pair.residual} networks: the number of iterations to reach a fraction of chance error "
        f"grows by a smaller factor per layer than in {pair.plain} networks, at every fraction at "
        "which both factors can be fitted"
    )
    families = (pair.plain, pair.residual)
    groups = {family: group_by_depth(runs, family) for family in families}
    reasons = missing_requirements(groups, depths=2)
    if reasons:
        return Claim.not_tested(name, statement, reasons)

    fits, evidence = _fit_at_fractions(times, pair)
    if not fits:
        reason = "there is no fraction at which both factors can be fitted"
        return Claim.not_tested(name, statement, [reason, *evidence])

    verdict = decide_slowing(fits)
    worst = _find_worst(fits, verdict)
    decisive_line = _format_decisive_line(fits, worst, verdict is Verdict.CONTRADICTED, pair)
    plain_words = _describe(fits[worst], worst, pair, verdict)
    is_negligible = verdict is not Verdict.INCONCLUSIVE and _is_negligible(fits)
    return Claim(
        name,
        statement,
        verdict,
        decisive_line,
        evidence,
        list_own_changes(runs[runs["family"].isin(families)]),
        plain_words=plain_words,
        is_negligible=is_negligible,
    )


def _describe(fits: PairOfFits, fraction: Fraction, pair: FamilyPair, verdict: Verdict) -> str:
    """Return by which factor depth slows down both families, in a short sentence."""
    plain, residual = (format_factor(fit.slope) for fit in fits)
    return (
        f"In the whole training, {LAYERS} more layers multiply the iterations to {fraction} of"
        f" chance error by {residual} in {pair.residual} networks, and by {plain} in {pair.plain}"
        f" ones{add_doubt(verdict)}."
    )


def _is_negligible(fits: Mapping[Fraction, PairOfFits]) -> bool:
    """Return whether bounds show at every fraction that both factors are practically equal."""
    limit = math.log(1 + NEGLIGIBLE_FRACTION) / LAYERS
    return all(
        -limit < _lower_gap(plain, residual, CONFIDENCE) and _upper_gap(plain, residual) < limit
        for plain, residual in fits.values()
    )


def _fit_at_fractions(
    times: pd.DataFrame, pair: FamilyPair
) -> tuple[dict[Fraction, PairOfFits], list[str]]:
    """Fit the exponential form to both families at each fraction of chance error.

    Returns the fits by fraction, where both families can be fitted, and one line of evidence per
    fraction.
    """
    plain_times = times[times["family"] == pair.plain]
    residual_times = times[times["family"] == pair.residual]
    fits: dict[Fraction, PairOfFits] = {}
    evidence = []
    for fraction in THRESHOLDS:
        plain = try_fit(EXPONENTIAL, plain_times, fraction)
        residual = try_fit(EXPONENTIAL, residual_times, fraction)
        if isinstance(plain, GrowthFit) and isinstance(residual, GrowthFit):
            fits[fraction] = plain, residual
        lines = f"{pair.plain} {format_fit(plain)}; {pair.residual} {format_fit(residual)}"
        evidence.append(f"{fraction} of chance error: {lines}")
    return fits, evidence


def decide_slowing(fits: Mapping[Fraction, PairOfFits]) -> Verdict:
    """Return the verdict on the fits at each fraction of chance error; see `judge_slowing`."""
    gaps = [_upper_gap(plain, residual) for plain, residual in fits.values()]
    if all(gap < 0 for gap in gaps):
        return Verdict.REPRODUCED
    level = bonferroni_level(len(fits))  # the bound of any fraction can contradict
    opposite_gaps = [_lower_gap(plain, residual, level) for plain, residual in fits.values()]
    if any(gap > 0 for gap in opposite_gaps):
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def _find_worst(fits: Mapping[Fraction, PairOfFits], verdict: Verdict) -> Fraction:
    """Return the fraction of chance error on which the verdict rests."""
    if verdict is Verdict.CONTRADICTED:
        level = bonferroni_level(len(fits))
        gaps = {
            fraction: _lower_gap(*pair_of_fits, level) for fraction, pair_of_fits in fits.items()
        }
    else:
        gaps = {fraction: _upper_gap(*pair_of_fits) for fraction, pair_of_fits in fits.items()}
    return max(gaps, key=lambda fraction: gaps[fraction])


def _upper_gap(plain: GrowthFit, residual: GrowthFit) -> float:
    """Return the residual slope's upper bound minus the plain slope's lower bound."""
    return residual.upper - plain.lower


def _lower_gap(plain: GrowthFit, residual: GrowthFit, level: float) -> float:
    """Return the residual slope's lower bound minus the plain slope's upper bound."""
    return residual.lower_at(level) - plain.upper_at(level)


def _format_decisive_line(
    fits: Mapping[Fraction, PairOfFits], worst: Fraction, is_contradicted: bool, pair: FamilyPair
) -> str:
    """Return the bounds of both families at the fraction on which the verdict rests."""
    plain, residual = fits[worst]
    if is_contradicted:
        level = bonferroni_level(len(fits))
        residual_bound = _format_bound(level, "lower", residual.lower_at(level))
        plain_bound = _format_bound(level, "upper", plain.upper_at(level))
    else:
        residual_bound = _format_bound(CONFIDENCE, "upper", residual.upper)
        plain_bound = _format_bound(CONFIDENCE, "lower", plain.lower)
    return (
        f"worst case of {format_count(len(fits), 'fraction')}, {worst} of chance error,"
        f" factor per {LAYERS} layers:"
        f" {pair.residual} {residual_bound}, {pair.plain} {plain_bound}"
    )


def _format_bound(level: float, side: Side, slope: float) -> str:
    """Return one bound of a slope as a factor: `95 % upper bound 1.2`."""
    return f"{100 * level:.4g} % {side} bound {format_factor(slope)}"
