"""Is it a wall, or slow? Iterations to an error, against depth (He et al. 2015, 4.1: "exponentially low" rates)."""

import math
from collections.abc import Mapping
from fractions import Fraction

import pandas as pd

from analysis.censored import EXPONENTIAL, POWER, Degenerate, Fit, fit
from analysis.claims import pair_of
from analysis.evidence import Claim, Verdict, untestable
from analysis.figures import convergence as figure
from analysis.frame import OVER, Frame, by_depth
from analysis.why.base import Explanation, not_tested
from analysis.why.times import THRESHOLDS, censored_at, counts_of, milestones, summary, times_of

HALF = Fraction(1, 2)  # what the first claim is about, whatever the data set
CLEARLY = 2.0  # log-likelihood by which one form must be the better: e^2, seven times as likely
LAYERS = 10  # that a factor is told for
TITLE = "is it a wall, or slow?"
INTRODUCTION = (
    "A deep plain net may be unable to learn, or it may learn slowly. He et al. 2015 (4.1) conjecture the second: "
    "that its rate of convergence is exponentially low. Here the iterations that every run needs to bring its training "
    "error down to a share of chance error are set against depth. If each layer multiplies them by the same factor, "
    "the growth is exponential. If they grow like a power of depth, doubling the depth multiplies them by the same "
    "factor. A run is looked at only now and then, so its time is known to lie between two evaluations. A run that "
    "never gets there is not left out: its time is known to be longer than the training. Both growths are fitted by "
    "maximum likelihood to all runs, and the one under which the runs are likelier is preferred. Such a fit supposes "
    "that every run gets there at last. It cannot tell a very slow net from one that is stuck: only a longer training "
    "can."
)
CAPTION = (
    "Left: iterations until the training error is half of chance error, against depth. A mark is a run, at the first "
    "evaluation that finds it there. Its line goes down to the evaluation before: the true time lies on it. An open "
    "triangle is a run that never got there: its true time is above the triangle, beyond the training (grey). On this "
    "scale exponential growth is a straight line and a power of depth bends to the right. Middle and right: the same "
    "for four shares of chance error, the median over seeds of each depth. Where fewer than half of the runs got there "
    "the median is an open triangle. Dotted: the learning rate falls, which slows what comes after."
)


def make(frame: Frame, _margin: float) -> Explanation | None:
    pair = pair_of(frame.runs)
    families = [family for family in (pair.plain, pair.residual) if family in set(frame.runs["family"])]
    runs = frame.runs[frame.runs["family"].isin(families)]
    times = times_of(runs[runs["state"].isin([*OVER])], frame.curves)
    if times.empty or times.groupby("family")["depth"].nunique().max() < 2:
        return None
    plain = times[times["family"] == pair.plain]
    residual = times[times["family"] == pair.residual]
    slopes, others = ({share: _fitted(EXPONENTIAL, part, share) for share in THRESHOLDS} for part in (plain, residual))
    fits = {EXPONENTIAL: slopes[HALF], POWER: _fitted(POWER, plain, HALF)}
    claims = []
    if pair.plain in families:
        claims.append(slow(runs, plain, fits, pair.plain))
    if pair.residual in families:
        claims.append(no_such_slowing(runs, slopes, others, (pair.plain, pair.residual)))
    drawn = [one for one in fits.values() if isinstance(one, Fit)]
    figures = {"convergence": (figure.figure(times, drawn, pair.plain, float(HALF), milestones(runs)), CAPTION)}
    return Explanation("convergence", TITLE, INTRODUCTION, claims, summary(times), figures)


def _fitted(form: str, times: pd.DataFrame, share: Fraction) -> Fit | str:
    """The fit, or why there is none."""
    part = times[times["threshold"] == float(share)]
    try:
        return fit(form, part["depth"], part["after"], part["by"])
    except Degenerate as problem:
        return str(problem)


def slow(runs: pd.DataFrame, times: pd.DataFrame, fits: Mapping[str, Fit | str], family: str) -> Claim:
    """Is the growth exponential? A bound on the slope, and the likelihood beside that of a power of depth.

    Both must also hold where no run is followed past the first fall of the rate: a deep net that is late is late at a
    lower rate too, which looks like growth with depth.
    """
    name = "exponentially slow"
    statement = f"{family} nets: the number of iterations to half of chance error grows exponentially with depth"
    groups = by_depth(runs, family)
    counts = counts_of(times[times["threshold"] == float(HALF)])
    if reasons := untestable({family: groups}, depths=3):  # a line and a curve both pass through two points
        return not_tested(name, statement, [*reasons, *counts])
    exponential, power = fits[EXPONENTIAL], fits[POWER]
    if not isinstance(exponential, Fit) or not isinstance(power, Fit):
        return not_tested(name, statement, [f"half of chance error, {family}: {exponential}", *counts])
    better = exponential.log_likelihood - power.log_likelihood
    pairs: list[tuple[Fit | str, Fit | str]] = [(exponential, power)]
    side = "upper" if exponential.upper < 0 else "lower"
    decisive = (
        f"factor per {LAYERS} layers {factor(exponential.b)}, 95 % {side} bound {factor(getattr(exponential, side))}; "
        f"log-likelihood of exponential minus power law {better:+.2f} (clear from {CLEARLY:g} on)"
    )
    if falls := milestones(runs):
        early = censored_at(times, falls[0])
        one, other = (_fitted(form, early, HALF) for form in (EXPONENTIAL, POWER))
        pairs.append((one, other))
        if isinstance(one, Fit) and isinstance(other, Fit):
            decisive += f", censored at the first fall of the rate {one.log_likelihood - other.log_likelihood:+.2f}"
    if all(_holds(*pair) for pair in pairs):
        verdict = Verdict.REPRODUCED
    else:
        verdict = Verdict.CONTRADICTED if all(_fails(*pair) for pair in pairs) else Verdict.INCONCLUSIVE
    deepest = max(groups)
    evidence = [
        f"exponential: {all_bounds(exponential)}; log-likelihood {exponential.log_likelihood:.2f}",
        f"power law: doubling the depth multiplies the iterations by {2**power.b:.2f}"
        f" (one-sided 95 % bounds {2**power.lower:.2f}, {2**power.upper:.2f});"
        f" log-likelihood {power.log_likelihood:.2f}",
        f"at {deepest} layers the exponential fit expects {exponential.time(deepest):,.0f} iterations and the power law"
        f" {power.time(deepest):,.0f}; past {times['last'].max():,.0f} no run was trained",
        *_elsewhere(times, milestones(runs)),
        *counts,
    ]
    return Claim(name, statement, verdict, decisive, evidence, _notes(runs, groups, (exponential, power)))


def _holds(exponential: Fit | str, power: Fit | str) -> bool:
    if not isinstance(exponential, Fit) or not isinstance(power, Fit):
        return False
    return exponential.lower > 0 and exponential.log_likelihood - power.log_likelihood >= CLEARLY


def _fails(exponential: Fit | str, power: Fit | str) -> bool:
    if not isinstance(exponential, Fit) or not isinstance(power, Fit):
        return False
    return exponential.upper < 0 or power.log_likelihood - exponential.log_likelihood >= CLEARLY


def _elsewhere(times: pd.DataFrame, falls: list[int]) -> list[str]:
    """The fits where no run is followed past the first fall of the rate, and at the other shares."""
    told = [(f"at {share} of chance error", times, share) for share in THRESHOLDS if share != HALF]
    if falls:
        early = censored_at(times, falls[0])
        told.insert(0, (f"with every run censored where the learning rate first falls, at {falls[0]}", early, HALF))
    lines = []
    for where, part, share in told:
        one, other = (_fitted(form, part, share) for form in (EXPONENTIAL, POWER))
        if isinstance(one, Fit) and isinstance(other, Fit):
            better = one.log_likelihood - other.log_likelihood
            lines.append(f"{where}: {all_bounds(one)}; exponential minus power law {better:+.2f}")
        else:
            lines.append(f"{where}: {one}")
    return lines


def _notes(runs: pd.DataFrame, groups: Mapping[int, pd.DataFrame], fits: tuple[Fit, ...]) -> list[str]:
    notes = ["a run that never got there counts as later than its last iteration; without it, deep nets look faster"]
    if falls := milestones(runs):
        notes.append(f"the learning rate falls after {' and '.join(map(str, falls))} iterations, which slows all nets")
    if diverged := sum(int((part["state"] == "diverged").sum()) for part in groups.values()):
        notes.append(f"{diverged} runs diverged and are at chance from then on")
    if any(one.at_floor for one in fits):
        notes.append(f"the spread of log time is held at {fits[0].floor:.2f}, the least that the evaluations resolve")
    return notes


def no_such_slowing(
    runs: pd.DataFrame,
    plain: Mapping[Fraction, Fit | str],
    residual: Mapping[Fraction, Fit | str],
    families: tuple[str, str],
) -> Claim:
    """At every share at which both slopes can be fitted, the residual's upper bound is below the plain's lower.

    All must hold, so no correction for their number is needed (intersection-union); a share cannot be picked. Not at
    half alone: the rule was made when the curves of `quick` were known, whose residual nets all pass half before they
    are first evaluated.
    """
    without, with_shortcuts = families
    name = f"no such slowing, {with_shortcuts}"
    statement = (
        f"{with_shortcuts} nets: the iterations to a share of chance error grow by a smaller factor a layer than "
        f"{without} nets' do, at every share at which both factors can be fitted"
    )
    if reasons := untestable({family: by_depth(runs, family) for family in families}, depths=2):
        return not_tested(name, statement, reasons)
    both: dict[Fraction, tuple[Fit, Fit]] = {}
    evidence = []
    for share in THRESHOLDS:
        one, other = plain[share], residual[share]
        if isinstance(one, Fit) and isinstance(other, Fit):
            both[share] = one, other
        told = [
            f"{f} {all_bounds(x) if isinstance(x, Fit) else x}" for f, x in zip(families, (one, other), strict=True)
        ]
        evidence.append(f"{share} of chance error: {'; '.join(told)}")
    if not both:
        return not_tested(name, statement, ["there is no share at which both factors can be fitted", *evidence])
    if all(other.upper < one.lower for one, other in both.values()):
        verdict = Verdict.REPRODUCED
    elif any(other.lower > one.upper for one, other in both.values()):
        verdict = Verdict.CONTRADICTED
    else:
        verdict = Verdict.INCONCLUSIVE
    sides = ("lower", "upper") if verdict is Verdict.CONTRADICTED else ("upper", "lower")
    gaps = {share: getattr(two, sides[0]) - getattr(one, sides[1]) for share, (one, two) in both.items()}
    worst = max(gaps, key=lambda share: gaps[share])
    bounds = (getattr(both[worst][1], sides[0]), getattr(both[worst][0], sides[1]))
    decisive = (
        f"at worst of {len(both)} shares, {worst} of chance error, factor per {LAYERS} layers: {with_shortcuts} 95 % "
        f"{sides[0]} bound {factor(bounds[0])}, {without} 95 % {sides[1]} bound {factor(bounds[1])}"
    )
    return Claim(name, statement, verdict, decisive, evidence)


def factor(slope: float) -> str:
    """What so many layers multiply the time by."""
    return f"{math.exp(min(LAYERS * slope, 700.0)):.3g}" if slope < math.inf else "unbounded"


def all_bounds(one: Fit) -> str:
    return (
        f"factor per {LAYERS} layers {factor(one.b)} (one-sided 95 % bounds {factor(one.lower)}, {factor(one.upper)};"
        f" two-sided 95 % interval {factor(one.low)} to {factor(one.high)})"
    )
