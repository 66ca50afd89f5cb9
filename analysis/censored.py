"""Times known to lie in an interval, or to be later than the last look: a regression on depth that leaves none out."""

import math
from collections.abc import Callable
from dataclasses import dataclass
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
DOUBLINGS = 40  # of the step in which a bound is looked for; one that is not found by then is infinite
LOG_ROOT = math.log(2 * math.pi) / 2  # of the normal's density
LARGEST = 100.0  # sigma: e to the hundredth says nothing


class Degenerate(ValueError):
    """These times do not determine a slope; the message says why."""


@dataclass(frozen=True)
class Fit:
    """log T = a + b z + sigma * normal, z being `form` of depth; bounds are of b, as in statistics.Difference."""

    form: str
    a: float
    b: float
    sigma: float
    log_likelihood: float
    lower: float
    upper: float
    low: float
    high: float
    floor: float  # of sigma: see resolution

    @property
    def at_floor(self) -> bool:
        return self.sigma <= 1.001 * self.floor

    def time(self, depth: ArrayLike) -> Array:
        """The median time at these depths."""
        return np.exp(self.a + self.b * FORMS[self.form](np.asarray(depth, dtype=float)))


def fit(form: str, depths: ArrayLike, after: ArrayLike, by: ArrayLike) -> Fit:
    """Maximum likelihood over runs whose time is in (after, by]; `by` is infinite where it was never reached.

    Bounds are where the profile likelihood of b has fallen as far as it falls at Student's bounds in a regression on as
    many exact times: exact where nothing is censored, and wider than the chi-squared ones on few runs. A slope's bound
    is infinite where the likelihood does not fall so far. Raises Degenerate.
    """
    depth, start, end = (np.asarray(values, dtype=float) for values in (depths, after, by))
    located = (start > 0) & np.isfinite(end)
    if problem := _problem(depth, start, end, located):
        raise Degenerate(problem)
    with np.errstate(divide="ignore"):
        lower, upper = np.log(start), np.log(end)
    z = FORMS[form](depth)
    centre, scale = float(z.mean()), float(z.std())
    place, floor = (z - centre) / scale, resolution(start, end)
    design = np.column_stack([np.ones_like(place), place])
    middle = (lower[located] + upper[located]) / 2
    line = np.linalg.lstsq(design[located], middle, rcond=None)[0]
    best, (level, slope), sigma = _maximise(lower, upper, design, line, max(floor, 0.1), floor)

    def bound(confidence: float, side: int) -> float:
        freedom = int(located.sum()) - 2
        fall = (freedom + 2) / 2 * np.log1p(float(stats.t.ppf(confidence, freedom)) ** 2 / freedom)

        def excess(of: float) -> float:
            shift = of * place
            profile = _maximise(lower - shift, upper - shift, design[:, :1], np.array([level]), sigma, floor)[0]
            return float(profile - best + fall)

        step = side * sigma / np.sqrt(len(place))
        for _ in range(DOUBLINGS):
            if excess(slope + step) < 0:
                return float(brentq(excess, slope, slope + step, xtol=1e-7)) / scale
            step *= 2
        return side * float("inf")

    b = float(slope) / scale
    two_sided = (1 + LEVEL) / 2
    bounds = bound(LEVEL, -1), bound(LEVEL, 1), bound(two_sided, -1), bound(two_sided, 1)
    return Fit(form, float(level) - b * centre, b, sigma, best, *bounds, floor)


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
    return "" if located.sum() > 2 else "the time of 2 runs is known from both sides; a spread about a slope needs 3"


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
    lower: Array, upper: Array, design: Array, start: Array, sigma: float, floor: float
) -> tuple[float, Array, float]:
    """The log-likelihood at its maximum, the coefficients there, sigma there. Concave in coefficients/sigma, 1/sigma.

    (Burridge 1981: the normal's density is log-concave, so there is one maximum and any start finds it.)
    """

    def loss(parameters: Array) -> tuple[float, Array]:
        inverse, line = parameters[-1], design @ parameters[:-1]
        low, high = inverse * lower - line, inverse * upper - line
        value = _log_probability(low, high)
        at_low, at_high = (np.exp(-(end**2) / 2 - LOG_ROOT - value) for end in (low, high))  # 0 where infinite
        of_line = at_low - at_high
        ends = np.where(np.isfinite(upper), upper, 0) * at_high - np.where(np.isfinite(lower), lower, 0) * at_low
        return -float(value.sum()), -np.append(of_line @ design, ends.sum())

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
