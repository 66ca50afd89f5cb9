"""Regression of interval-censored times on depth.

A run is evaluated at intervals, so the time at which it reached an error is known only to lie in an
interval (after, by]: `by` is the first evaluation at or below that error, and is infinite if there
is none. No run is dropped: a fit to only the runs that reached the error would underestimate the
growth, since the slow ones are missing. This module fits log time as a line in depth (exponential
growth) or in log depth (a power law) by maximum likelihood.

The model is log T = intercept + slope * z + sigma * epsilon, where z is the depth or its logarithm
and epsilon is standard normal and independent between runs. Its likelihood is in
`analysis.interval_likelihood`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import brentq

from analysis.estimates import CONFIDENCE
from analysis.interval_likelihood import Array, IntervalLikelihood, log_times

EXPONENTIAL, POWER = "exponential", "power law"
FORMS: dict[str, Callable[[Array], Array]] = {EXPONENTIAL: np.asarray, POWER: np.log}  # depth -> z

MAX_DOUBLINGS = 40  # doublings of the step that brackets a bound; a bound beyond is infinite
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
        return self.lower_at(CONFIDENCE)

    @cached_property
    def upper(self) -> float:
        """The one-sided 95 % upper bound of the slope."""
        return self.upper_at(CONFIDENCE)

    @cached_property
    def low(self) -> float:
        """The lower end of the two-sided 95 % interval of the slope."""
        return self.lower_at((1 + CONFIDENCE) / 2)

    @cached_property
    def high(self) -> float:
        """The upper end of the two-sided 95 % interval of the slope."""
        return self.upper_at((1 + CONFIDENCE) / 2)

    def median_time(self, depth: ArrayLike) -> Array:
        """Return the median time at these depths, in iterations."""
        z = FORMS[self.form](np.asarray(depth, dtype=float))
        return np.exp(self.intercept + self.slope * z)

    def lower_at(self, level: float) -> float:
        """Return the one-sided lower bound of the slope at this confidence level."""
        return self._find_bound(level, -1)

    def upper_at(self, level: float) -> float:
        """Return the one-sided upper bound of the slope at this confidence level."""
        return self._find_bound(level, 1)

    def _find_bound(self, level: float, side: int) -> float:
        """Return a one-sided bound of the slope. `side`: -1 for the lower one, 1 for the upper."""
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
    likelihood = IntervalLikelihood(log_times(start), log_times(end), design, floor)
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
        reason = f"the time is known from both sides at {located_depths} depth{plural}"
        raise DegenerateSample(f"{reason}; a slope needs {MIN_LOCATED_DEPTHS}")
    if located.sum() < MIN_LOCATED_RUNS:
        reason = f"the time of {located.sum()} runs is known from both sides"
        raise DegenerateSample(f"{reason}; a spread about a slope needs {MIN_LOCATED_RUNS}")


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
