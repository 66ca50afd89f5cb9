"""Do the iterations to half of chance error grow exponentially with depth, or like a power of it?

He et al. (2015), 4.1, conjecture that deep plain networks have exponentially low convergence rates.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import pandas as pd

from analysis.claim import Claim, Verdict
from analysis.claim_names import EXPONENTIAL_SLOWING
from analysis.frame import group_by_depth
from analysis.growth_discrimination import predict_discrimination
from analysis.interval_censoring import EXPONENTIAL, POWER, GrowthFit
from analysis.lr_drops import find_common_milestones, list_gradual_changes, list_own_changes
from analysis.mechanisms.growth import (
    HALF,
    LAYERS,
    OTHER_FORM,
    compare_forms,
    fit_both_forms,
    format_factor,
    format_fit,
    try_fit,
)
from analysis.mechanisms.time_to_threshold import THRESHOLDS, censor_at, describe_times
from analysis.requirements import missing_requirements
from degradation.counting import format_count
from degradation.records.schema import State

MIN_DEPTHS = 3  # two points fit both forms exactly
QUANTITY = "the number of iterations to half of chance error"
# Log-likelihood by which one form must be better: e^2, about seven times as likely.
CLEAR_GAIN = 2.0
FORMS_IN_WORDS = {
    Verdict.REPRODUCED: "exponential growth",
    Verdict.CONTRADICTED: "growth that is not exponential",
    Verdict.INCONCLUSIVE: "whether the growth is exponential is not certain yet",
}
# What may settle the claim, if runs of this design cannot.
STRONGER_DESIGN = "more depths, and evaluations at shorter intervals before the first drop"
MIN_POWER = 0.8  # probability of preferring the true form, below which a design is too weak


def decide_form(exponential: GrowthFit, power: GrowthFit) -> Verdict:
    """Return whether the growth is exponential.

    Reproduced if the exponential form is clearly likelier than the power law and its slope is
    above 0 by its 95 % lower bound. Contradicted if the power law is clearly likelier, or if the
    slope is below 0 by its 95 % upper bound.
    """
    gain = compare_forms(exponential, power)
    if gain >= CLEAR_GAIN and exponential.lower > 0:
        return Verdict.REPRODUCED
    if gain <= -CLEAR_GAIN or exponential.upper < 0:
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def judge_form(
    runs: pd.DataFrame, times: pd.DataFrame, evaluations: Sequence[int], family: str
) -> Claim:
    """Judge whether the iterations to half of chance error grow exponentially with depth.

    See `decide_form` for the rule. The verdict rests on the iterations before the first
    learning-rate drop, because only those share one learning rate: later times are too short or too
    long by an unknown amount. The fit to the whole training run is part of the evidence.

    Args:
        runs: rows of `Frame.runs`.
        times: rows of `measure_times` of the family.
        evaluations: iterations at which the runs were evaluated, ascending.
        family: the family to judge.
    """
    name = EXPONENTIAL_SLOWING
    statement = f"{family} networks: {QUANTITY} grows exponentially with depth"
    groups, milestones = group_by_depth(runs, family), find_common_milestones(runs)
    to_half = times[times["threshold"] == float(HALF)]
    counts = [f"whole training, {line}" for line in describe_times(to_half)]
    reasons = missing_requirements({family: groups}, depths=MIN_DEPTHS)
    reasons += _find_varying_rates(runs[runs["family"] == family])
    if reasons:
        return Claim.not_tested(name, statement, [*reasons, *counts])

    window = f" before the learning rate drops, at {milestones[0]} iterations" if milestones else ""
    fits = fit_both_forms(times, milestones)
    exponential, power = fits[EXPONENTIAL], fits[POWER]
    if not isinstance(exponential, GrowthFit) or not isinstance(power, GrowthFit):
        problem = exponential if isinstance(exponential, str) else power
        reason = f"half of chance error, {family}{window}: {problem}"
        return Claim.not_tested(name, statement, [reason, *counts])

    last = milestones[0] if milestones else times["last"].max()
    chances = _predict_preferences(exponential, power, to_half["depth"], evaluations, last)
    evidence = [
        *_describe_fits(exponential, power, max(groups), last),
        _describe_chances(chances),
        *_describe_other_fits(times, milestones),
        *_describe_times_before(milestones, to_half),
        *counts,
    ]
    weaknesses = _describe_weak_design(chances)
    notes = [*weaknesses, *_describe_limits(groups, milestones, (exponential, power))]
    decisive_line = f"{_format_decisive_line(exponential, power)}{window}"
    verdict = decide_form(exponential, power)
    return Claim(
        name,
        statement,
        verdict,
        decisive_line,
        evidence,
        notes,
        plain_words=(
            f"{LAYERS} more layers multiply the iterations that {family} networks need by"
            f" {format_factor(exponential.slope)}: {FORMS_IN_WORDS[verdict]}."
        ),
        remedy=STRONGER_DESIGN if weaknesses and verdict is Verdict.INCONCLUSIVE else "",
    )


def _find_varying_rates(runs: pd.DataFrame) -> list[str]:
    """Return why times at different depths do not belong to one learning rate; may be empty."""
    reasons = list_own_changes(runs)
    if changes := list_gradual_changes(runs):
        reasons.append(
            f"the learning rate changes in every iteration ({', '.join(changes)}), so times at"
            " different depths do not belong to one learning rate"
        )
    return reasons


def _describe_times_before(milestones: Sequence[int], to_half: pd.DataFrame) -> list[str]:
    """Return the times as the fits see them: censored at the first learning-rate drop, if any."""
    return describe_times(censor_at(to_half, milestones[0])) if milestones else []


def _predict_preferences(
    exponential: GrowthFit,
    power: GrowthFit,
    depths: pd.Series,
    evaluations: Sequence[int],
    last: float,
) -> dict[str, float]:
    """Return, for each form, the probability of clearly preferring it if its fit is true.

    `depths`: one per run. `last`: evaluations after this iteration are not used.
    """
    usable_evaluations = [iteration for iteration in evaluations if iteration <= last]
    return {
        EXPONENTIAL: predict_preference(exponential, depths.tolist(), usable_evaluations),
        POWER: predict_preference(power, depths.tolist(), usable_evaluations),
    }


def predict_preference(
    truth: GrowthFit, depths: Sequence[float], evaluations: Sequence[int]
) -> float:
    """Return the probability that a repetition of the design clearly prefers the true form.

    Approximate; see `growth_discrimination.predict_discrimination`.

    Args:
        truth: the fit that is taken as the truth.
        depths: one per run.
        evaluations: iterations at which every run is evaluated, ascending.
    """
    other = OTHER_FORM[truth.form]
    prediction = predict_discrimination(truth, other, depths, evaluations)
    return prediction.probability(CLEAR_GAIN)


def _format_decisive_line(exponential: GrowthFit, power: GrowthFit) -> str:
    """Return the factor with the bound that decides, and the gain in likelihood."""
    factor = format_factor(exponential.slope)
    if exponential.upper < 0:
        bound = f"95 % upper bound {format_factor(exponential.upper)}"
    else:
        bound = f"95 % lower bound {format_factor(exponential.lower)}"
    return (
        f"factor per {LAYERS} layers {factor}, {bound}; log-likelihood of exponential minus power "
        f"law {compare_forms(exponential, power):+.2f} (clear at {CLEAR_GAIN:g} or more)"
    )


def _describe_fits(
    exponential: GrowthFit, power: GrowthFit, deepest: int, last: float
) -> list[str]:
    """Return lines on both fits, and on what they predict for the deepest networks."""
    doubling, lower, upper = 2**power.slope, 2**power.lower, 2**power.upper
    exponential_time = float(exponential.median_time(deepest))
    power_time = float(power.median_time(deepest))
    return [
        f"exponential: {format_fit(exponential)}; log-likelihood {exponential.log_likelihood:.2f}",
        f"power law: doubling the depth multiplies the iterations by {doubling:.2f}"
        f" (one-sided 95 % bounds {lower:.2f}, {upper:.2f});"
        f" log-likelihood {power.log_likelihood:.2f}",
        f"at {deepest} layers the exponential fit predicts {exponential_time:,.0f} iterations and"
        f" the power law {power_time:,.0f}; nothing after iteration {last:,.0f} is used",
    ]


def _describe_chances(chances: Mapping[str, float]) -> str:
    exponential, power = 100 * chances[EXPONENTIAL], 100 * chances[POWER]
    return (
        "in repetitions of this design the true form would be clearly preferred in about"
        f" {exponential:.0f} % of cases if the exponential fit is true, and in about {power:.0f} %"
        " if the power law is true"
    )


def _describe_weak_design(chances: Mapping[str, float]) -> list[str]:
    """Return a note if the design is too weak, or an empty list otherwise."""
    if min(chances.values()) >= MIN_POWER:
        return []
    exponential, power = 100 * chances[EXPONENTIAL], 100 * chances[POWER]
    return [
        "this design cannot reliably distinguish the two forms: if the exponential fit or the power"
        f" law were true, it would be clearly preferred in about {exponential:.0f} % and"
        f" {power:.0f} % of repetitions; {100 * MIN_POWER:.0f} % would be enough"
    ]


def _describe_other_fits(times: pd.DataFrame, milestones: Sequence[int]) -> list[str]:
    """Return one line per fit on which the verdict does not rest.

    These are the fits to the whole training run, if the learning rate drops in it, and those to the
    other fractions of chance error.
    """
    lines = []
    if milestones:
        lines.append(_compare_fits("whole training, with the learning-rate drops", times, HALF))
    suffix = ", whole training" if milestones else ""
    others = [fraction for fraction in THRESHOLDS if fraction != HALF]
    lines += [
        _compare_fits(f"at {fraction} of chance error{suffix}", times, fraction)
        for fraction in others
    ]
    return lines


def _compare_fits(label: str, times: pd.DataFrame, fraction: Fraction) -> str:
    """Return the exponential fit to a fraction, and its gain in likelihood over the power law."""
    exponential = try_fit(EXPONENTIAL, times, fraction)
    power = try_fit(POWER, times, fraction)
    line = f"{label}: {format_fit(exponential)}"
    if isinstance(exponential, GrowthFit) and isinstance(power, GrowthFit):
        line += f"; exponential minus power law {compare_forms(exponential, power):+.2f}"
    return line


def _describe_limits(
    groups: Mapping[int, pd.DataFrame], milestones: Sequence[int], fits: Sequence[GrowthFit]
) -> list[str]:
    """Return notes on censored runs, learning-rate drops, diverged runs and the resolution."""
    notes = [
        "a run that never reached the error counts as later than its last iteration; without such"
        " runs, deep networks would look faster"
    ]
    if milestones:
        drops = " and ".join(map(str, milestones))
        notes.append(
            f"the learning rate drops after {drops} iterations; a network that is still learning at"
            f" the first drop learns faster for a while, so times after {milestones[0]} do not"
            " belong to one learning rate"
        )
    diverged = sum(int((group["state"] == State.DIVERGED).sum()) for group in groups.values())
    if diverged:
        notes.append(
            f"{format_count(diverged, 'run')} diverged; a diverged run counts as chance error, "
            "starting at its divergence"
        )
    if any(fit.is_at_floor for fit in fits):
        notes.append(
            f"the spread of log time is fixed at {fits[0].sigma_floor:.2f}, the smallest that the"
            " evaluations can resolve"
        )
    return notes
