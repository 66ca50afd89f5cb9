"""Times known to lie in an interval, or to be later than the last look: a regression on depth that leaves none out."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import brentq, minimize
from scipy.special import log_ndtr

from analysis.statistics import LEVEL

Array = NDArray[np.float64]
EXPONENTIAL, POWER = "exponential", "power law"
FORMS: dict[str, Callable[[Array], Array]] = {EXPONENTIAL: np.asarray, POWER: np.log}
DOUBLINGS = (
    40  # of the step in which a bound is looked for; one that is not found by then is infinite
)
LOG_ROOT = math.log(2 * math.pi) / 2  # of the normal's density
LARGEST = 100.0  # sigma: e to the hundredth says nothing
LEAST = -30.0  # logarithm of a probability that counts


class DegenerateSample(ValueError):
    """These times do not determine a slope; the message says why."""


@dataclass(frozen=True)
class Fit:
    """log T = a + b z + sigma * normal, z being `form` of depth.

    Bounds of b are where the profile likelihood has fallen as far as it falls at Student's bounds in a regression on as
    many exact times: exact where nothing is censored, and wider than the chi-squared ones on few runs. A bound is
    infinite where the likelihood does not fall so far. They are computed when they are first read.
    """

    form: str
    a: float
    b: float
    sigma: float
    log_likelihood: float
    floor: float  # of sigma: see resolution
    freedom: int  # runs whose time is known from both sides, less the two parameters of the line
    step: float  # of b, in which a bound is first looked for
    loss: Callable[[float], float] = field(
        repr=False, compare=False
    )  # of log-likelihood, where the slope is this

    @property
    def at_floor(self) -> bool:
        return self.sigma <= 1.001 * self.floor

    @cached_property
    def lower(self) -> float:
        return self.bound(LEVEL, -1)

    @cached_property
    def upper(self) -> float:
        return self.bound(LEVEL, 1)

    @cached_property
    def low(self) -> float:
        return self.bound((1 + LEVEL) / 2, -1)

    @cached_property
    def high(self) -> float:
        return self.bound((1 + LEVEL) / 2, 1)

    def time(self, depth: ArrayLike) -> Array:
        """The median time at these depths."""
        return np.exp(self.a + self.b * FORMS[self.form](np.asarray(depth, dtype=float)))

    def bound(self, level: float, side: int) -> float:
        """The one-sided bound of b at this level: the lower one where `side` is -1, the upper one where it is 1."""
        quantile = float(stats.t.ppf(level, self.freedom))
        allowed = (self.freedom + 2) / 2 * math.log1p(quantile**2 / self.freedom)

        def left(slope: float) -> float:
            return allowed - self.loss(slope)

        step = side * self.step
        for _ in range(DOUBLINGS):
            if left(self.b + step) < 0:
                return float(brentq(left, self.b, self.b + step, xtol=1e-4 * self.step))
            step *= 2
        return side * math.inf


def fit(form: str, depths: ArrayLike, after: ArrayLike, by: ArrayLike) -> Fit:
    """Maximum likelihood over runs whose time is in (after, by]; `by` is infinite where it was never reached.

    Raises Degenerate.
    """
    depth, start, end = (np.asarray(values, dtype=float) for values in (depths, after, by))
    located = (start > 0) & np.isfinite(end)
    if problem := _problem(depth, start, end, located):
        raise DegenerateSample(problem)
    lower, upper = _logarithms(start), _logarithms(end)
    z = FORMS[form](depth)
    centre, scale = float(z.mean()), float(z.std())
    place, floor = (z - centre) / scale, resolution(start, end)
    design = np.column_stack([np.ones_like(place), place])
    middle = (lower[located] + upper[located]) / 2
    line = np.linalg.lstsq(design[located], middle, rcond=None)[0]
    best, (level, slope), sigma = _maximise(lower, upper, design, line, max(floor, 0.1), floor)

    def loss(b: float) -> float:
        shift = b * scale * place
        profile = _maximise(
            lower - shift, upper - shift, design[:, :1], np.array([level]), sigma, floor
        )[0]
        return float(best - profile)

    b, step = float(slope) / scale, sigma / math.sqrt(len(place)) / scale
    return Fit(
        form, float(level) - b * centre, b, sigma, best, floor, int(located.sum()) - 2, step, loss
    )


@dataclass(frozen=True)
class Discrimination:
    """If one form were true: its log-likelihood minus the other's, over repetitions of a design."""

    mean: float
    deviation: float

    def probability(self, least: float) -> float:
        """About how probable it is that the true form is the likelier by so much: as if normally distributed."""
        return float(stats.norm.sf((least - self.mean) / self.deviation))


def discrimination(
    truth: Fit, other: str, depths: ArrayLike, evaluations: ArrayLike
) -> Discrimination:
    """What a design can tell, if `truth` is true, about the `other` form: without a simulation.

    `depths`: one per run. `evaluations`: the iterations at which every run is evaluated, ascending. The expected
    log-likelihood is maximised over the parameters of the other form, so that what is left is what no parameters of it
    can imitate. That both are fitted to few runs is not counted: with 24 runs a true form is preferred by 2 in up to a
    tenth of repetitions more than this says.
    """
    depth, runs = np.unique(np.asarray(depths, dtype=float), return_counts=True)
    ends = _logarithms(np.concatenate([[0.0], np.asarray(evaluations, dtype=float), [np.inf]]))
    group = np.repeat(np.arange(len(depth)), len(ends) - 1)
    lower, upper = np.tile(ends[:-1], len(depth)), np.tile(ends[1:], len(depth))
    median = np.log(truth.time(depth))
    log_true = _log_probability(
        (lower - median[group]) / truth.sigma, (upper - median[group]) / truth.sigma
    )

    possible = log_true > LEAST  # an interval in which no run ever is has no part in the means
    group, lower, upper, log_true = (
        group[possible],
        lower[possible],
        upper[possible],
        log_true[possible],
    )
    probability = np.exp(log_true)
    z = FORMS[other](depth)[group]
    design = np.column_stack([np.ones_like(z), (z - z.mean()) / z.std()])
    start = np.linalg.lstsq(design, median[group], rcond=None)[0]
    weight = np.asarray(runs[group] * probability, dtype=float)
    _, line, sigma = _maximise(lower, upper, design, start, truth.sigma, truth.floor, weight)
    centre = design @ line
    gain = log_true - _log_probability((lower - centre) / sigma, (upper - centre) / sigma)

    mean = np.bincount(group, probability * gain)
    variance = np.bincount(group, probability * gain**2) - mean**2
    return Discrimination(float(runs @ mean), math.sqrt(float(runs @ variance)))


def _logarithms(times: Array) -> Array:
    """Minus infinity at 0."""
    with np.errstate(divide="ignore"):
        return np.log(times)


def _problem(depth: Array, after: Array, by: Array, located: NDArray[np.bool_]) -> str:
    """Why no slope can be fitted; empty where one can."""
    if not np.isfinite(by).any():
        return f"none of {len(by)} runs reached it"
    if (after == 0).all():
        return f"all {len(by)} runs had reached it by their first evaluation"
    known = np.unique(depth[located])
    if len(known) < 2:
        plural = "" if len(known) == 1 else "s"
        return f"the time is known from both sides at {len(known)} depth{plural}; a slope needs 2"
    return (
        ""
        if located.sum() > 2
        else "the time of 2 runs is known from both sides; a spread about a slope needs 3"
    )


def resolution(after: ArrayLike, by: ArrayLike) -> float:
    """The least sigma: the standard deviation of a time spread evenly over its own interval, of the median run.

    Evaluations cannot show a smaller one, and where a line passes through every interval the likelihood would have it
    zero, and the slope surer than it is. No interval counts as wider than a factor of two, that of evenly spaced
    evaluations from the second on.
    """
    start, end = np.asarray(after, dtype=float), np.asarray(by, dtype=float)
    start, end = start[np.isfinite(end)], end[np.isfinite(end)]
    return float(np.median(np.log(end / np.maximum(start, end / 2)))) / math.sqrt(12)


def _maximise(
    lower: Array,
    upper: Array,
    design: Array,
    start: Array,
    sigma: float,
    floor: float,
    weight: Array | None = None,
) -> tuple[float, Array, float]:
    """The log-likelihood at its maximum, the coefficients there, sigma there. Concave in coefficients/sigma, 1/sigma.

    `weight`: how often each interval counts; None: once.
    (Burridge 1981: the normal's density is log-concave, so there is one maximum and any start finds it.)
    """

    times = np.ones(len(lower)) if weight is None else weight

    def loss(parameters: Array) -> tuple[float, Array]:
        inverse, line = parameters[-1], design @ parameters[:-1]
        low, high = inverse * lower - line, inverse * upper - line
        value = _log_probability(low, high)
        at_low, at_high = (
            times * np.exp(-(end**2) / 2 - LOG_ROOT - value) for end in (low, high)
        )  # 0 where infinite
        of_line = at_low - at_high
        ends = (
            np.where(np.isfinite(upper), upper, 0) * at_high
            - np.where(np.isfinite(lower), lower, 0) * at_low
        )
        return -float((times * value).sum()), -np.append(of_line @ design, ends.sum())

    result: Any = minimize(
        loss,
        np.append(start, 1) / sigma,
        jac=True,
        method="SLSQP",
        bounds=[(None, None)] * design.shape[1] + [(1 / LARGEST, 1 / floor)],
        options={"ftol": 1e-10, "maxiter": 300},
    )
    inverse = float(result.x[-1])
    return -float(result.fun), result.x[:-1] / inverse, 1 / inverse


def _log_probability(low: Array, high: Array) -> Array:
    """log(Phi(high) - Phi(low)), in the tail where it is exact."""
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    below, above = log_ndtr(low), log_ndtr(high)  # Phi's logarithm
    return np.asarray(above + np.log(-np.expm1(below - above)))
