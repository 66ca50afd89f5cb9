"""Is it a wall, or slow? Iterations to an error, against depth (He et al. 2015, 4.1: "exponentially low" rates)."""

import math
from collections.abc import Mapping
from fractions import Fraction

import pandas as pd

from analysis.claim import Claim, Verdict, not_tested
from analysis.claims import SIGNIFICANCE, family_pair
from analysis.columns import FINISHED_STATES
from analysis.figures import convergence as figure
from analysis.frame import Frame, group_by_depth
from analysis.interval_censoring import (
    EXPONENTIAL,
    POWER,
    DegenerateSample,
    GrowthFit,
    fit_growth,
    predict_discrimination,
)
from analysis.mechanisms.base import Explanation
from analysis.mechanisms.time_to_threshold import (
    THRESHOLDS,
    censored_at,
    counts_of,
    list_evaluations,
    measure_times,
    read_milestones,
    summary,
)
from analysis.requirements import missing_requirements
from analysis.statistics import CONFIDENCE

HALF = Fraction(1, 2)  # what the first claim is about, whatever the data set
CLEARLY = 2.0  # log-likelihood by which one form must be the better: e^2, seven times as likely
ENOUGH = 0.8  # probability of a clear preference for the true form, below which a design cannot be counted on
LAYERS = 10  # that a factor is given for
OTHER_FORM = {EXPONENTIAL: POWER, POWER: EXPONENTIAL}
TITLE = "is it a wall, or slow?"
INTRODUCTION = (
    "A deep plain net may be unable to learn, or it may learn slowly. He et al. 2015 (4.1) conjecture the second: "
    "that its rate of convergence is exponentially low. Here the iterations that every run needs to bring its training "
    "error down to a share of chance error are set against depth. If each layer multiplies them by the same factor, "
    "the growth is exponential. If they grow like a power of depth, doubling the depth multiplies them by the same "
    "factor. A run is looked at only now and then, so its time is known to lie between two evaluations. A run that "
    "never gets there is not left out: its time is known to be longer than the training. Both growths are try_fit by "
    "maximum likelihood to all runs, and the one under which the runs are likelier is preferred. A drop of the "
    "learning rate changes how fast a net learns, so the two are compared over the iterations before the first drop: a "
    "run that gets there later counts as longer than that. Such a fit supposes that every run gets there at last. It "
    "cannot tell a very slow net from one that is stuck: only a longer training can."
)
CAPTION = (
    "Left: iterations until the training error is half of chance error, against depth. A mark is a run, at the first "
    "evaluation that finds it there. Its line goes down to the evaluation before: the true time lies on it. An open "
    "triangle is a run that never got there: its true time is above the triangle, beyond the training (grey). On this "
    "scale exponential growth is a straight line and a power of depth bends to the right. Both are try_fit to what is "
    "known at the first drop of the learning rate. Middle and right: the same "
    "for four shares of chance error, the median over seeds of each depth. Where fewer than half of the runs got there "
    "the median is an open triangle. Dotted: the learning rate drops. A net that is still learning then first learns "
    "faster, so times beyond that line are not those of one learning rate."
)


def build(frame: Frame, _margin: float) -> Explanation | None:
    pair = family_pair(frame.runs)
    families = [
        family for family in (pair.plain, pair.residual) if family in set(frame.runs["family"])
    ]
    runs = frame.runs[frame.runs["family"].isin(families)]
    times = measure_times(runs[runs["state"].isin([*FINISHED_STATES])], frame.curves)
    if times.empty or times.groupby("family")["depth"].nunique().max() < 2:
        return None
    plain = times[times["family"] == pair.plain]
    residual = times[times["family"] == pair.residual]
    drops = read_milestones(runs)
    fits = fit_both_forms(plain, drops)
    claims = []
    if pair.plain in families:
        claims.append(slow(runs, plain, list_evaluations(runs, frame.curves), pair.plain))
    if pair.residual in families:
        slopes, others = (
            {share: try_fit(EXPONENTIAL, part, share) for share in THRESHOLDS}
            for part in (plain, residual)
        )
        claims.append(no_such_slowing(runs, slopes, others, (pair.plain, pair.residual)))
    drawn = [one for one in fits.values() if isinstance(one, GrowthFit)]
    figures = {"convergence": (figure.plot(times, drawn, pair.plain, float(HALF), drops), CAPTION)}
    return Explanation("convergence", TITLE, INTRODUCTION, claims, summary(times), figures)


def try_fit(form: str, times: pd.DataFrame, share: Fraction) -> GrowthFit | str:
    """The fit, or why there is none."""
    of_share = times[times["threshold"] == float(share)]
    try:
        return fit_growth(form, of_share["depth"], of_share["after"], of_share["by"])
    except DegenerateSample as problem:
        return str(problem)


def fit_both_forms(times: pd.DataFrame, drops: list[int]) -> dict[str, GrowthFit | str]:
    """Both forms, to half of chance error, as far as the runs are known at the first drop of the learning rate."""
    window = censored_at(times, drops[0]) if drops else times
    return {form: try_fit(form, window, HALF) for form in (EXPONENTIAL, POWER)}


def decide_form(exponential: GrowthFit, power: GrowthFit) -> Verdict:
    """Is the growth exponential? A bound on the slope, and the likelihood beside that of a power of depth."""
    better = exponential.log_likelihood - power.log_likelihood
    if better >= CLEARLY and exponential.lower > 0:
        return Verdict.REPRODUCED
    if better <= -CLEARLY or exponential.upper < 0:
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def slow(runs: pd.DataFrame, times: pd.DataFrame, evaluations: list[int], family: str) -> Claim:
    """The verdict of `decide_form` on the iterations before the first drop of the learning rate.

    Only those are at one learning rate. After a drop the error of a net that is still learning first falls faster, and
    at a far lower rate hardly at all, so later times are too short or too long by an amount that nothing here tells.
    The fit to the whole training is part of the evidence.
    """
    name = "exponentially slow"
    statement = f"{family} nets: the number of iterations to half of chance error grows exponentially with depth"
    groups, drops = group_by_depth(runs, family), read_milestones(runs)
    counts = counts_of(times[times["threshold"] == float(HALF)])
    if reasons := missing_requirements(
        {family: groups}, depths=3
    ):  # a line and a curve both pass through two points
        return not_tested(name, statement, [*reasons, *counts])
    fits = fit_both_forms(times, drops)
    exponential, power = fits[EXPONENTIAL], fits[POWER]
    when = f" before the learning rate drops, at {drops[0]} iterations" if drops else ""
    if not isinstance(exponential, GrowthFit) or not isinstance(power, GrowthFit):
        return not_tested(
            name, statement, [f"half of chance error, {family}{when}: {exponential}", *counts]
        )
    verdict = decide_form(exponential, power)
    better = exponential.log_likelihood - power.log_likelihood
    side = "upper" if exponential.upper < 0 else "lower"
    decisive = (
        f"factor per {LAYERS} layers {factor(exponential.slope)}, 95 % {side} bound {factor(getattr(exponential, side))}; "
        f"log-likelihood of exponential minus power law {better:+.2f} (clear from {CLEARLY:g} on){when}"
    )
    deepest, last = max(groups), drops[0] if drops else times["last"].max()
    window = [one for one in evaluations if one <= last]
    depths = times.loc[times["threshold"] == float(HALF), "depth"].tolist()
    told_apart = {
        form: preferred(truth, depths, window)
        for form, truth in ((EXPONENTIAL, exponential), (POWER, power))
    }
    evidence = [
        f"exponential: {format_interval(exponential)}; log-likelihood {exponential.log_likelihood:.2f}",
        f"power law: doubling the depth multiplies the iterations by {2**power.slope:.2f}"
        f" (one-sided 95 % bounds {2**power.lower:.2f}, {2**power.upper:.2f});"
        f" log-likelihood {power.log_likelihood:.2f}",
        f"at {deepest} layers the exponential fit expects {exponential.median_time(deepest):,.0f} iterations and the power law"
        f" {power.median_time(deepest):,.0f}; past {last:,.0f} nothing is used",
        f"in repetitions of this design the true form would be preferred by {CLEARLY:g} about so often: the exponential"
        f" fit, if true, in {100 * told_apart[EXPONENTIAL]:.0f} %; the power law, if true, in"
        f" {100 * told_apart[POWER]:.0f} %",
        *_elsewhere(times, drops),
        *counts,
    ]
    notes = _notes(runs, groups, (exponential, power))
    if min(told_apart.values()) < ENOUGH:
        notes.insert(0, _undecidable(told_apart))
    return Claim(name, statement, verdict, decisive, evidence, notes)


def preferred(truth: GrowthFit, depths: list[float], evaluations: list[int]) -> float:
    """About how probable a clear preference for this form is in a repetition of the design, if the fit is true."""
    return predict_discrimination(truth, OTHER_FORM[truth.form], depths, evaluations).probability(
        CLEARLY
    )


def _undecidable(told_apart: Mapping[str, float]) -> str:
    chances = " and ".join(f"{100 * chance:.0f} %" for chance in told_apart.values())
    return (
        f"this design cannot be counted on to tell the forms apart: were the exponential fit or the power law true, the"
        f" true one would be clearly preferred in about {chances} of repetitions; {100 * ENOUGH:.0f} % would be enough"
    )


def _elsewhere(times: pd.DataFrame, drops: list[int]) -> list[str]:
    """The fits over the whole training, where the learning rate drops in it, and at the other shares."""
    places = [(f"at {share} of chance error", share) for share in THRESHOLDS if share != HALF]
    if drops:
        places = [(f"{where}, whole training", share) for where, share in places]
        places.insert(0, ("whole training, past the drops of the learning rate", HALF))
    lines = []
    for where, share in places:
        exponential, power = (try_fit(form, times, share) for form in (EXPONENTIAL, POWER))
        if isinstance(exponential, GrowthFit) and isinstance(power, GrowthFit):
            better = exponential.log_likelihood - power.log_likelihood
            lines.append(
                f"{where}: {format_interval(exponential)}; exponential minus power law {better:+.2f}"
            )
        else:
            lines.append(f"{where}: {exponential}")
    return lines


def _notes(
    runs: pd.DataFrame, groups: Mapping[int, pd.DataFrame], fits: tuple[GrowthFit, ...]
) -> list[str]:
    notes = [
        "a run that never got there counts as later than its last iteration; without it, deep nets look faster"
    ]
    if drops := read_milestones(runs):
        notes.append(
            f"the learning rate drops after {' and '.join(map(str, drops))} iterations; a net that is still learning "
            f"at the first drop learns faster for a while, so what comes after {drops[0]} is not at one learning rate"
        )
    if diverged := sum(int((part["state"] == "diverged").sum()) for part in groups.values()):
        notes.append(f"{diverged} runs diverged and are at chance from then on")
    if any(one.is_at_floor for one in fits):
        notes.append(
            f"the spread of log time is held at {fits[0].sigma_floor:.2f}, the least that the evaluations resolve"
        )
    return notes


def no_such_slowing(
    runs: pd.DataFrame,
    plain: Mapping[Fraction, GrowthFit | str],
    residual: Mapping[Fraction, GrowthFit | str],
    families: tuple[str, str],
) -> Claim:
    """At every share at which both slopes can be try_fit, the residual's upper bound is below the plain's lower.

    All must hold, so no correction for their number is needed (intersection-union); a share cannot be picked. It is
    contradicted where the opposite holds at any share, at bounds of 1 - 0.05/m of m shares (Holm's first step). Not at
    half alone: the rule was made when the curves of `quick` were known, whose residual nets all pass half before they
    are first evaluated. The whole training counts, drops of the learning rate included, for both families alike.
    """
    without, with_shortcuts = families
    name = f"no such slowing, {with_shortcuts}"
    statement = (
        f"{with_shortcuts} nets: the iterations to a share of chance error grow by a smaller factor a layer than "
        f"{without} nets' do, at every share at which both factors can be try_fit"
    )
    if reasons := missing_requirements(
        {family: group_by_depth(runs, family) for family in families}, depths=2
    ):
        return not_tested(name, statement, reasons)
    both: dict[Fraction, tuple[GrowthFit, GrowthFit]] = {}
    evidence = []
    for share in THRESHOLDS:
        one, other = plain[share], residual[share]
        if isinstance(one, GrowthFit) and isinstance(other, GrowthFit):
            both[share] = one, other
        told = [
            f"{f} {format_interval(x) if isinstance(x, GrowthFit) else x}"
            for f, x in zip(families, (one, other), strict=True)
        ]
        evidence.append(f"{share} of chance error: {'; '.join(told)}")
    if not both:
        return not_tested(
            name, statement, ["there is no share at which both factors can be try_fit", *evidence]
        )
    verdict = decide_slowing(both)
    opposite = verdict is Verdict.CONTRADICTED
    level = opposite_level(len(both)) if opposite else CONFIDENCE
    gaps = {share: _gap(*fits, level, opposite) for share, fits in both.items()}
    worst = max(gaps, key=lambda share: gaps[share])
    plain_fit, residual_fit = both[worst]
    side = -1 if opposite else 1
    of_residual, of_plain = (
        factor(residual_fit.bound(level, side)),
        factor(plain_fit.bound(level, -side)),
    )
    sides = ("lower", "upper") if opposite else ("upper", "lower")
    decisive = (
        f"at worst of {len(both)} shares, {worst} of chance error, factor per {LAYERS} layers: {with_shortcuts} "
        f"{100 * level:.4g} % {sides[0]} bound {of_residual}, {without} {100 * level:.4g} % {sides[1]} bound {of_plain}"
    )
    return Claim(name, statement, verdict, decisive, evidence)


def decide_slowing(fits: Mapping[Fraction, tuple[GrowthFit, GrowthFit]]) -> Verdict:
    """`fits`: of the plain and the residual family at each share. All must hold; one opposite contradicts."""
    if all(
        _gap(plain, residual, CONFIDENCE, opposite=False) < 0 for plain, residual in fits.values()
    ):
        return Verdict.REPRODUCED
    level = opposite_level(len(fits))
    if any(_gap(plain, residual, level, opposite=True) > 0 for plain, residual in fits.values()):
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def opposite_level(shares: int) -> float:
    """Of the bounds of which any one contradicts: one chance in twenty for all of them together (Holm's first step)."""
    return 1 - SIGNIFICANCE / shares


def _gap(plain: GrowthFit, residual: GrowthFit, level: float, opposite: bool) -> float:
    """The residual's upper bound minus the plain's lower; `opposite`: its lower bound minus the plain's upper."""
    side = -1 if opposite else 1
    return residual.bound(level, side) - plain.bound(level, -side)


def factor(slope: float) -> str:
    """What so many layers multiply the time by."""
    return f"{math.exp(min(LAYERS * slope, 700.0)):.3g}" if slope < math.inf else "unbounded"


def format_interval(one: GrowthFit) -> str:
    return (
        f"factor per {LAYERS} layers {factor(one.slope)} (one-sided 95 % bounds {factor(one.lower)}, {factor(one.upper)};"
        f" two-sided 95 % interval {factor(one.low)} to {factor(one.high)})"
    )
