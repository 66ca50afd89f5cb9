"""The claims about iterations to an error: times drawn by a fitted growth, known as well as a design's evaluations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.claim import Verdict
from analysis.interval_censoring import (
    EXPONENTIAL,
    FORMS,
    POWER,
    DegenerateSample,
    GrowthFit,
    fit_growth,
)
from analysis.mechanisms.convergence import (
    HALF,
    decide_form,
    decide_slowing,
    fit_both_forms,
    try_fit,
)
from analysis.mechanisms.time_to_threshold import THRESHOLDS
from analysis.power.simulation import AS_SEEN, NO_EFFECT, Case

Array = NDArray[np.float64]
START = 20.0  # iterations that every net may need, whatever its depth
DOUBTFUL = 2.0  # by which the spread of three runs may be underestimated


@dataclass(frozen=True)
class Design:
    """When and how often plain nets of which depths are evaluated."""

    depths: tuple[int, ...]
    seeds: int
    every: int  # iterations between evaluations
    last: int  # iteration
    drops: tuple[int, ...] = ()  # of the learning rate

    @property
    def window(self) -> int:
        """The last iteration that the claim about the form reads."""
        return min(self.drops, default=self.last)

    @property
    def runs(self) -> Array:
        """The depth of every run."""
        return np.repeat(np.array(self.depths, dtype=float), self.seeds)

    def seen(self, times: Array, last: int) -> tuple[Array, Array]:
        """(after, by] of these times; `by` is infinite where the time is after the last evaluation."""
        by = np.ceil(times / self.every) * self.every
        never = by > last
        return np.where(never, last, by - self.every), np.where(never, np.inf, by)


@dataclass(frozen=True)
class Growth:
    """Times of a form of depth, lognormal about it, after a `start` that every net needs."""

    form: str
    intercept: float
    slope: float
    sigma: float
    start: float = 0.0  # iterations

    @classmethod
    def of(cls, fit: GrowthFit) -> "Growth":
        return cls(fit.form, fit.intercept, fit.slope, fit.sigma)

    def times(self, depths: Array, noise: Array) -> Array:
        median = self.start + np.exp(self.intercept + self.slope * FORMS[self.form](depths))
        return np.asarray(median * np.exp(self.sigma * noise))

    def delayed(self, start: float, shallow: float, deep: float) -> "Growth":
        """A power of depth after so many iterations, with this growth's median times at two depths."""
        z = np.log([shallow, deep])
        rest = np.log(self.times(np.array([shallow, deep]), np.zeros(2)) - start)
        b = float((rest[1] - rest[0]) / (z[1] - z[0]))
        return Growth(POWER, float(rest[0] - b * z[0]), b, self.sigma, start)


@dataclass(frozen=True)
class FormDraw:
    """One repetition of a design under a growth: is the growth exponential?"""

    design: Design
    growth: Growth

    def __call__(self, generator: np.random.Generator) -> Verdict:
        depths = self.design.runs
        times = self.growth.times(depths, generator.normal(size=len(depths)))
        after, by = self.design.seen(times, self.design.window)
        try:
            return decide_form(
                fit_growth(EXPONENTIAL, depths, after, by), fit_growth(POWER, depths, after, by)
            )
        except DegenerateSample:
            return Verdict.NOT_TESTED


def growths_of(times: pd.DataFrame, drops: tuple[int, ...]) -> dict[str, Growth]:
    """Both forms fitted to the plain nets of the published runs. Raises Degenerate."""
    fits = fit_both_forms(times[times["family"] == "plain"], list(drops))
    return {form: _growth(fit) for form, fit in fits.items()}


def _growth(fit: GrowthFit | str) -> Growth:
    if isinstance(fit, str):
        raise DegenerateSample(fit)
    return Growth.of(fit)


def form_cases(times: pd.DataFrame, designs: Mapping[str, Design]) -> Iterator[Case]:
    """`times`: of the first of the designs, whose fits are the truths of all."""
    growths = growths_of(times, next(iter(designs.values())).drops)
    exponential = growths[EXPONENTIAL]
    timed = times.loc[
        (times["family"] == "plain")
        & np.isfinite(times["by"])
        & (times["threshold"] == float(HALF)),
        "depth",
    ]
    shallowest, deepest = float(timed.min()), float(timed.max())
    level = exponential.intercept + exponential.slope * shallowest
    truths = {
        "exponential, as fitted": exponential,
        "power law, as fitted": growths[POWER],
        f"exponential, spread x {DOUBTFUL:g}": replace(
            exponential, sigma=DOUBTFUL * exponential.sigma
        ),
        f"power law, spread x {DOUBTFUL:g}": replace(
            growths[POWER], sigma=DOUBTFUL * growths[POWER].sigma
        ),
        f"neither: a power of depth after {START:g} iterations": exponential.delayed(
            START, shallowest, deepest
        ),
        f"{NO_EFFECT}: every depth as plain-{shallowest:g}": replace(
            exponential, intercept=level, slope=0.0
        ),
    }
    for name, design in designs.items():
        for truth, growth in truths.items():
            yield Case(f"exponentially slow ({name})", truth, FormDraw(design, growth))


@dataclass(frozen=True)
class SlowingDraw:
    """One repetition: do residual nets slow less? A run that is late to one share is as late to the others."""

    design: Design
    growths: Mapping[Fraction, tuple[Growth, Growth]]  # of plain and residual nets, to each share

    def __call__(self, generator: np.random.Generator) -> Verdict:
        depths = self.design.runs
        noises = generator.normal(size=(2, len(depths)))
        fits: dict[Fraction, tuple[GrowthFit, GrowthFit]] = {}
        for share, growths in self.growths.items():
            seen = [
                self.design.seen(growth.times(depths, noise), self.design.last)
                for growth, noise in zip(growths, noises, strict=True)
            ]
            try:
                plain, residual = (fit_growth(EXPONENTIAL, depths, *one) for one in seen)
            except DegenerateSample:
                continue
            fits[share] = (plain, residual)
        return decide_slowing(fits) if fits else Verdict.NOT_TESTED


def slowing_cases(times: pd.DataFrame, design: Design) -> Iterator[Case]:
    """The shares at which both families can be fitted in the published runs; elsewhere no growth is known."""
    seen: dict[Fraction, tuple[Growth, Growth]] = {}
    plain: dict[Fraction, Growth] = {}
    for share in THRESHOLDS:
        fits = [
            try_fit(EXPONENTIAL, times[times["family"] == family], share)
            for family in ("plain", "residual")
        ]
        known = [Growth.of(fit) for fit in fits if isinstance(fit, GrowthFit)]
        if isinstance(fits[0], GrowthFit):
            plain[share] = known[0]
        if len(known) == len(fits):
            seen[share] = (known[0], known[1])
    truths = {
        AS_SEEN: seen,
        f"{NO_EFFECT}: residual nets as plain ones, which is the margin": {
            share: (growth, growth) for share, growth in plain.items()
        },
        "residual and plain nets exchanged": {
            share: (other, one) for share, (one, other) in seen.items()
        },
    }
    for truth, growths in truths.items():
        yield Case("no such slowing, residual", truth, SlowingDraw(design, growths))
