"""Regression of interval-censored times on depth.

A run is evaluated at intervals, so the time at which it reached an error is known only to lie in an
interval (after, by]: `by` is the first evaluation at or below that error, and is infinite if there
is none. No run is dropped: a fit to only the runs that reached the error would underestimate the
growth, since the slow ones are missing. This module fits log time as a line in depth (exponential
growth) or in log depth (a power law) by maximum likelihood, and predicts how well a design can
distinguish the two.

The model is log T = intercept + slope * z + sigma * epsilon, where z is the depth or its logarithm
and epsilon is standard normal and independent between runs. A run in (after, by] contributes
P(after < T <= by) to the likelihood (Turnbull 1976; for the normal model, Burridge 1981).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import brentq, minimize
from scipy.special import log_ndtr

from analysis.statistics import CONFIDENCE

Array = NDArray[np.float64]
EXPONENTIAL, POWER = "exponential", "power law"
FORMS: dict[str, Callable[[Array], Array]] = {EXPONENTIAL: np.asarray, POWER: np.log}  # depth -> z

MAX_DOUBLINGS = 40  # doublings of the step that brackets a bound; a bound beyond is infinite
LOG_SQRT_2_PI = math.log(2 * math.pi) / 2  # in the logarithm of the normal density
MAX_SIGMA = 100.0  # no limit in practice: a spread of a factor e^100
MIN_LOG_PROBABILITY = -30.0  # intervals less probable than this do not count in an expectation
MIN_LOCATED_DEPTHS = 2  # depths with times bounded on both sides, for a slope
MIN_LOCATED_RUNS = 3  # runs with times known from both sides, for a spread about it


class DegenerateSample(ValueError):
    """The times do not determine a slope; the message says why."""


@dataclass(frozen=True)
class GrowthFit:
    """A maximum-likelihood fit of log T = intercept + slope * z + sigma * epsilon.

    The bounds of the slope are profile-likelihood bounds. The likelihood may fall as far as it
    falls at Student's bounds in a regression on exact times with as many runs. They are therefore
    exact if nothing is censored, and wider than chi-squared bounds on few runs. A bound is infinite
    if the likelihood does not fall that far. Bounds are computed when they are first read.

    Attributes:
        form: a key of FORMS, which maps depth to z.
        intercept: log of the median time at z = 0, times in iterations.
        slope: growth of log time per unit of z.
        sigma: standard deviation of log time about the line.
        log_likelihood: at the maximum.
        sigma_floor: the smallest sigma that is allowed (`smallest_sigma`).
        degrees_of_freedom: runs whose time is known from both sides, minus the line's two
            parameters.
        slope_step: first distance from the slope at which a bound is searched.
        profile_loss: slope -> the log-likelihood lost if the slope has this value and the other
            parameters are refitted.
    """

    form: str
    intercept: float
    slope: float
    sigma: float
    log_likelihood: float
    sigma_floor: float
    degrees_of_freedom: int
    slope_step: float
    profile_loss: Callable[[float], float] = field(repr=False, compare=False)

    @property
    def is_at_floor(self) -> bool:
        return self.sigma <= 1.001 * self.sigma_floor

    @cached_property
    def lower(self) -> float:
        """The one-sided 95 % lower bound of the slope."""
        return self.bound(CONFIDENCE, -1)

    @cached_property
    def upper(self) -> float:
        """The one-sided 95 % upper bound of the slope."""
        return self.bound(CONFIDENCE, 1)

    @cached_property
    def low(self) -> float:
        """The lower end of the two-sided 95 % interval of the slope."""
        return self.bound((1 + CONFIDENCE) / 2, -1)

    @cached_property
    def high(self) -> float:
        """The upper end of the two-sided 95 % interval of the slope."""
        return self.bound((1 + CONFIDENCE) / 2, 1)

    def median_time(self, depth: ArrayLike) -> Array:
        """Return the median time at these depths, in iterations."""
        z = FORMS[self.form](np.asarray(depth, dtype=float))
        return np.exp(self.intercept + self.slope * z)

    def bound(self, level: float, side: int) -> float:
        """Return a one-sided bound of the slope.

        Args:
            level: confidence level of the bound.
            side: -1 for the lower bound, 1 for the upper one.
        """
        freedom = self.degrees_of_freedom
        quantile = float(stats.t.ppf(level, freedom))
        allowed_loss = (freedom + 2) / 2 * math.log1p(quantile**2 / freedom)

        def remaining(slope: float) -> float:
            return allowed_loss - self.profile_loss(slope)

        step = side * self.slope_step
        for _ in range(MAX_DOUBLINGS):
            if remaining(self.slope + step) < 0:
                tolerance = 1e-4 * self.slope_step
                return float(brentq(remaining, self.slope, self.slope + step, xtol=tolerance))
            step *= 2
        return side * math.inf


def fit_growth(form: str, depths: ArrayLike, after: ArrayLike, by: ArrayLike) -> GrowthFit:
    """Fit the growth of times with depth by maximum likelihood.

    Args:
        form: EXPONENTIAL or POWER.
        depths: depth of each run, shape (runs,).
        after: the last evaluation before each run reached the error, in iterations, or 0 if there
            is none.
        by: the first evaluation at which it had, or infinity if there is none.

    Raises:
        DegenerateSample: the times do not determine a slope.
    """
    depth = np.asarray(depths, dtype=float)
    start = np.asarray(after, dtype=float)
    end = np.asarray(by, dtype=float)
    located = (start > 0) & np.isfinite(end)  # known from both sides
    _check_sample(depth, start, end, located)

    # A standardised predictor keeps the optimiser's parameters on a similar scale.
    z = FORMS[form](depth)
    centre, scale = float(z.mean()), float(z.std())
    predictor = (z - centre) / scale
    design = np.column_stack([np.ones_like(predictor), predictor])

    floor = smallest_sigma(start, end)
    likelihood = _Likelihood(_log(start), _log(end), design, floor)
    maximum, line, sigma = likelihood.maximise(likelihood.fit_midpoints(located), max(floor, 0.1))
    level, standardised_slope = line
    slope = float(standardised_slope) / scale

    def profile_loss(fixed_slope: float) -> float:
        profile = likelihood.fix_slope(fixed_slope * scale)
        profile_maximum, _, _ = profile.maximise(np.array([level]), sigma)
        return float(maximum - profile_maximum)

    return GrowthFit(
        form=form,
        intercept=float(level) - slope * centre,
        slope=slope,
        sigma=sigma,
        log_likelihood=maximum,
        sigma_floor=floor,
        degrees_of_freedom=int(located.sum()) - 2,
        slope_step=sigma / math.sqrt(len(predictor)) / scale,
        profile_loss=profile_loss,
    )


def _check_sample(depth: Array, after: Array, by: Array, located: NDArray[np.bool_]) -> None:
    """Raise DegenerateSample if no slope can be fitted to these times."""
    if not np.isfinite(by).any():
        raise DegenerateSample(f"none of {len(by)} runs reached it")
    if (after == 0).all():
        raise DegenerateSample(f"all {len(by)} runs had reached it by their first evaluation")
    located_depths = len(np.unique(depth[located]))
    if located_depths < MIN_LOCATED_DEPTHS:
        plural = "" if located_depths == 1 else "s"
        where = f"the time is known from both sides at {located_depths} depth{plural}"
        raise DegenerateSample(f"{where}; a slope needs {MIN_LOCATED_DEPTHS}")
    if located.sum() < MIN_LOCATED_RUNS:
        known = f"the time of {located.sum()} runs is known from both sides"
        raise DegenerateSample(f"{known}; a spread about a slope needs {MIN_LOCATED_RUNS}")


def smallest_sigma(after: ArrayLike, by: ArrayLike) -> float:
    """Return the smallest spread of log time that these evaluations can show.

    This is the standard deviation of a uniform distribution as wide as the median interval. If a
    line passes through every interval, the likelihood would otherwise drive sigma to 0 and make the
    slope certain. No interval counts as wider than a factor of two: with evenly spaced evaluations,
    none of the second or a later evaluation is.

    Args:
        after: start of each run's interval, in iterations.
        by: end of each run's interval; runs with an infinite one are ignored.
    """
    start, end = np.asarray(after, dtype=float), np.asarray(by, dtype=float)
    finite = np.isfinite(end)
    start, end = start[finite], end[finite]
    widths = np.log(end / np.maximum(start, end / 2))
    return float(np.median(widths)) / math.sqrt(12)


@dataclass(frozen=True)
class Discrimination:
    """How well a design distinguishes the true form from the other one.

    Mean and standard deviation, over repetitions of the design, of the true form's log-likelihood
    minus the other's.
    """

    mean: float
    std: float

    def probability(self, margin: float) -> float:
        """Return the probability that the true form leads by `margin` (normal approximation)."""
        return float(stats.norm.sf((margin - self.mean) / self.std))


def predict_discrimination(
    truth: GrowthFit, other: str, depths: ArrayLike, evaluations: ArrayLike
) -> Discrimination:
    """Predict, without a simulation, how well a design distinguishes two forms of growth.

    The expected log-likelihood is maximised over the other form's parameters, so the difference
    that remains is what no parameters of that form can reproduce.

    Limits: the expectation ignores that both forms are fitted to few runs. With 24 runs, the true
    form leads by 2 in up to a tenth more of the repetitions than predicted.

    Args:
        truth: the growth model that is assumed to be true.
        other: the form that it is compared with.
        depths: depth of each run of the design.
        evaluations: iterations at which every run is evaluated, ascending.
    """
    depth, runs = np.unique(np.asarray(depths, dtype=float), return_counts=True)
    group, lower, upper, log_true = _possible_intervals(truth, depth, evaluations)
    probability = np.exp(log_true)

    z = FORMS[other](depth)[group]
    design = np.column_stack([np.ones_like(z), (z - z.mean()) / z.std()])
    median = np.log(truth.median_time(depth))
    start = np.linalg.lstsq(design, median[group], rcond=None)[0]
    weight = np.asarray(runs[group] * probability, dtype=float)
    likelihood = _Likelihood(lower, upper, design, truth.sigma_floor, weight)
    _, line, sigma = likelihood.maximise(start, truth.sigma)
    centre = design @ line
    log_other = _log_probability((lower - centre) / sigma, (upper - centre) / sigma)

    gain = log_true - log_other
    mean = np.bincount(group, probability * gain)
    variance = np.bincount(group, probability * gain**2) - mean**2
    return Discrimination(float(runs @ mean), math.sqrt(float(runs @ variance)))


def _possible_intervals(
    truth: GrowthFit, depth: Array, evaluations: ArrayLike
) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """Return the intervals between evaluations that are not too improbable at each depth.

    Returns:
        Index of the depth, start and end in log time, and log probability of each interval; all of
        shape (intervals,).
    """
    ends = _log(np.concatenate([[0.0], np.asarray(evaluations, dtype=float), [np.inf]]))
    group = np.repeat(np.arange(len(depth)), len(ends) - 1)
    lower, upper = np.tile(ends[:-1], len(depth)), np.tile(ends[1:], len(depth))
    median = np.log(truth.median_time(depth))[group]
    log_probability = _log_probability(
        (lower - median) / truth.sigma, (upper - median) / truth.sigma
    )
    possible = log_probability > MIN_LOG_PROBABILITY
    return group[possible], lower[possible], upper[possible], log_probability[possible]


@dataclass(frozen=True)
class _Likelihood:
    """The likelihood of log times in (lower, upper] about a line.

    It is concave in coefficients / sigma and 1 / sigma, since the normal density is log-concave
    (Burridge 1981). So there is one maximum, and any start finds it.

    Attributes:
        lower: start of each interval in log time, shape (intervals,); may be -infinity.
        upper: end of each interval; may be infinite.
        design: the line's predictors, shape (intervals, coefficients).
        floor: the smallest sigma that is allowed.
        weight: how often each interval counts, or None if each counts once.
    """

    lower: Array
    upper: Array
    design: Array
    floor: float
    weight: Array | None = None

    def fit_midpoints(self, located: NDArray[np.bool_]) -> Array:
        """Return the least-squares coefficients for the midpoints of the located intervals."""
        midpoints = (self.lower[located] + self.upper[located]) / 2
        return np.asarray(np.linalg.lstsq(self.design[located], midpoints, rcond=None)[0])

    def fix_slope(self, slope: float) -> "_Likelihood":
        """Return the likelihood with this slope, in which only the constant is free."""
        shift = slope * self.design[:, 1]
        return replace(
            self, lower=self.lower - shift, upper=self.upper - shift, design=self.design[:, :1]
        )

    def maximise(self, start: Array, sigma: float) -> tuple[float, Array, float]:
        """Return the maximum of the log-likelihood, the coefficients there, and sigma there.

        Args:
            start: first guess of the coefficients.
            sigma: first guess of sigma.
        """
        coefficient_bounds = [(None, None)] * self.design.shape[1]
        result: Any = minimize(
            self._loss,
            np.append(start, 1) / sigma,
            jac=True,
            method="SLSQP",
            bounds=[*coefficient_bounds, (1 / MAX_SIGMA, 1 / self.floor)],
            options={"ftol": 1e-10, "maxiter": 300},
        )
        inverse_sigma = float(result.x[-1])
        return -float(result.fun), result.x[:-1] / inverse_sigma, 1 / inverse_sigma

    def _loss(self, parameters: Array) -> tuple[float, Array]:
        """Return minus the log-likelihood and its gradient by (coefficients, 1) / sigma."""
        counts = np.ones(len(self.lower)) if self.weight is None else self.weight
        inverse_sigma, line = parameters[-1], self.design @ parameters[:-1]
        low, high = inverse_sigma * self.lower - line, inverse_sigma * self.upper - line
        log_probability = _log_probability(low, high)
        # density at each end over the interval's probability; 0 at an infinite end
        at_low = counts * np.exp(-(low**2) / 2 - LOG_SQRT_2_PI - log_probability)
        at_high = counts * np.exp(-(high**2) / 2 - LOG_SQRT_2_PI - log_probability)
        by_line = at_low - at_high
        finite_upper = np.where(np.isfinite(self.upper), self.upper, 0)
        finite_lower = np.where(np.isfinite(self.lower), self.lower, 0)
        by_inverse_sigma = finite_upper * at_high - finite_lower * at_low
        gradient = np.append(by_line @ self.design, by_inverse_sigma.sum())
        return -float((counts * log_probability).sum()), -gradient


def _log(times: Array) -> Array:
    """Return the logarithms of times, or minus infinity at 0."""
    with np.errstate(divide="ignore"):
        return np.log(times)


def _log_probability(low: Array, high: Array) -> Array:
    """Return log(Phi(high) - Phi(low)), computed in the tail in which it is accurate."""
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    log_below_low, log_below_high = log_ndtr(low), log_ndtr(high)  # log Phi
    return np.asarray(log_below_high + np.log(-np.expm1(log_below_low - log_below_high)))
