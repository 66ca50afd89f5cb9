"""The likelihood of normal values that are known only to lie in intervals, and its maximum.

A value in (lower, upper] contributes the probability of that interval to the likelihood (Turnbull
1976; for the normal model, Burridge 1981).
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_ndtr

Array = NDArray[np.float64]

LOG_SQRT_2_PI = math.log(2 * math.pi) / 2  # in the logarithm of the normal density
MAX_SIGMA = 100.0  # no limit in practice: a spread of a factor e^100


@dataclass(frozen=True)
class IntervalLikelihood:
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

    def fix_slope(self, slope: float) -> "IntervalLikelihood":
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
        log_probability = log_probability_between(low, high)
        # density at each end over the interval's probability; 0 at an infinite end
        at_low = counts * np.exp(-(low**2) / 2 - LOG_SQRT_2_PI - log_probability)
        at_high = counts * np.exp(-(high**2) / 2 - LOG_SQRT_2_PI - log_probability)
        by_line = at_low - at_high
        finite_upper = np.where(np.isfinite(self.upper), self.upper, 0)
        finite_lower = np.where(np.isfinite(self.lower), self.lower, 0)
        by_inverse_sigma = finite_upper * at_high - finite_lower * at_low
        gradient = np.append(by_line @ self.design, by_inverse_sigma.sum())
        return -float((counts * log_probability).sum()), -gradient


def log_times(times: Array) -> Array:
    """Return the logarithms of times, or minus infinity at 0."""
    with np.errstate(divide="ignore"):
        return np.log(times)


def log_probability_between(low: Array, high: Array) -> Array:
    """Return log(Phi(high) - Phi(low)), computed in the tail in which it is accurate."""
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    log_below_low, log_below_high = log_ndtr(low), log_ndtr(high)  # log Phi
    return np.asarray(log_below_high + np.log(-np.expm1(log_below_low - log_below_high)))
