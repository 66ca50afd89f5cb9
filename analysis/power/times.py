"""Simulated cases for the claims about the number of iterations to reach an error.

Times are drawn from a fitted growth model and interval-censored at the evaluations of a design.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.claim import Verdict
from analysis.claim_names import LESS_SLOWING
from analysis.interval_censoring import (
    EXPONENTIAL,
    FORMS,
    POWER,
    DegenerateSample,
    GrowthFit,
    fit_growth,
)
from analysis.mechanisms.growth import HALF, fit_both_forms, try_fit
from analysis.mechanisms.growth_form import decide_form
from analysis.mechanisms.slowing import decide_slowing
from analysis.mechanisms.time_to_threshold import THRESHOLDS
from analysis.power.simulation import AS_OBSERVED, NO_EFFECT, Case

Array = NDArray[np.float64]
DELAY = 20.0  # iterations that every network may need, whatever its depth
SPREAD_FACTOR = 2.0  # factor by which three runs may underestimate the spread


@dataclass(frozen=True)
class Design:
    """The networks of an experiment, and when they are evaluated.

    Attributes:
        depths: depths of the networks without shortcuts.
        seeds: number of seeds per depth.
        evaluate_every: iterations between evaluations.
        iterations: length of a training run.
        drops: iterations after which the learning rate drops.
    """

    depths: tuple[int, ...]
    seeds: int
    evaluate_every: int
    iterations: int
    drops: tuple[int, ...] = ()

    @property
    def cutoff(self) -> int:
        """The last iteration used to compare the forms of growth.

        This is the first drop, or the end of training.
        """
        return min(self.drops, default=self.iterations)

    @property
    def run_depths(self) -> Array:
        """The depth of every run, shape (runs,)."""
        return np.repeat(np.array(self.depths, dtype=float), self.seeds)

    def censor(self, times: Array, last: int) -> tuple[Array, Array]:
        """Return the intervals (after, by] in which the evaluations up to `last` locate the times.

        `by` is infinite if a time lies after the last evaluation.
        """
        by = np.ceil(times / self.evaluate_every) * self.evaluate_every
        is_late = by > last
        return np.where(is_late, last, by - self.evaluate_every), np.where(is_late, np.inf, by)


@dataclass(frozen=True)
class GrowthModel:
    """Lognormal times whose median is delay + exp(intercept + slope * z).

    z is the depth or its logarithm, by `form` (`interval_censoring.FORMS`); `sigma` is the standard
    deviation of log time; `delay` is in iterations.
    """

    form: str
    intercept: float
    slope: float
    sigma: float
    delay: float = 0.0

    @classmethod
    def from_fit(cls, fit: GrowthFit) -> "GrowthModel":
        return cls(fit.form, fit.intercept, fit.slope, fit.sigma)

    def times(self, depths: Array, noise: Array) -> Array:
        """Return the time of each run, in iterations.

        Args:
            depths: depth of each run, shape (runs,).
            noise: a standard normal value for each run, shape (runs,).
        """
        median = self.delay + np.exp(self.intercept + self.slope * FORMS[self.form](depths))
        return np.asarray(median * np.exp(self.sigma * noise))

    def delayed_power_law(self, delay: float, shallow: float, deep: float) -> "GrowthModel":
        """Return a power law with a delay, with this model's median times at two depths."""
        z = np.log([shallow, deep])
        medians = self.times(np.array([shallow, deep]), np.zeros(2))
        log_rest = np.log(medians - delay)
        slope = float((log_rest[1] - log_rest[0]) / (z[1] - z[0]))
        intercept = float(log_rest[0] - slope * z[0])
        return GrowthModel(POWER, intercept, slope, self.sigma, delay)


@dataclass(frozen=True)
class FormDraw:
    """One simulated repetition of a design: is growth under this model judged to be exponential?"""

    design: Design
    growth_model: GrowthModel

    def __call__(self, generator: np.random.Generator) -> Verdict:
        depths = self.design.run_depths
        times = self.growth_model.times(depths, generator.normal(size=len(depths)))
        after, by = self.design.censor(times, self.design.cutoff)
        try:
            exponential = fit_growth(EXPONENTIAL, depths, after, by)
            power = fit_growth(POWER, depths, after, by)
        except DegenerateSample:
            return Verdict.NOT_TESTED
        return decide_form(exponential, power)


def fit_growth_models(times: pd.DataFrame, drops: tuple[int, ...]) -> dict[str, GrowthModel]:
    """Fit both forms to the recorded plain networks, up to the first learning-rate drop.

    Raises:
        DegenerateSample: the recorded times do not determine a slope.
    """
    fits = fit_both_forms(times[times["family"] == "plain"], list(drops))
    growth_models = {}
    for form, fit in fits.items():
        if isinstance(fit, str):
            raise DegenerateSample(fit)
        growth_models[form] = GrowthModel.from_fit(fit)
    return growth_models


def form_cases(times: pd.DataFrame, designs: Mapping[str, Design]) -> Iterator[Case]:
    """Yield the cases for the claim that the growth is exponential, for each design.

    Args:
        times: recorded times of the first design; the fits to them are the truths of all designs.
        designs: by experiment.
    """
    first_design = next(iter(designs.values()))
    growth_models = fit_growth_models(times, first_design.drops)
    exponential, power = growth_models[EXPONENTIAL], growth_models[POWER]
    shallowest, deepest = _depth_range(times)
    log_shallowest = exponential.intercept + exponential.slope * shallowest
    truths = {
        "exponential, as fitted": exponential,
        "power law, as fitted": power,
        f"exponential, spread x {SPREAD_FACTOR:g}": replace(
            exponential, sigma=SPREAD_FACTOR * exponential.sigma
        ),
        f"power law, spread x {SPREAD_FACTOR:g}": replace(power, sigma=SPREAD_FACTOR * power.sigma),
        f"neither: a power law plus {DELAY:g} iterations": exponential.delayed_power_law(
            DELAY, shallowest, deepest
        ),
        f"{NO_EFFECT}: every depth behaves like plain-{shallowest:g}": replace(
            exponential, intercept=log_shallowest, slope=0.0
        ),
    }
    for name, design in designs.items():
        for truth, growth_model in truths.items():
            yield Case(f"exponential slowing ({name})", truth, FormDraw(design, growth_model))


def _depth_range(times: pd.DataFrame) -> tuple[float, float]:
    """Return the shallowest and deepest plain network that reached half of chance error."""
    is_plain = times["family"] == "plain"
    is_half = times["threshold"] == float(HALF)
    depths = times.loc[is_plain & is_half & np.isfinite(times["by"]), "depth"]
    return float(depths.min()), float(depths.max())


@dataclass(frozen=True)
class SlowingDraw:
    """One simulated repetition of a design: are residual networks judged to slow down less?

    A run that reaches one fraction of chance error late is equally late in reaching the others.

    Attributes:
        design: the evaluations and the depths.
        growth_models: for each fraction, the models of the plain and of the residual networks.
    """

    design: Design
    growth_models: Mapping[Fraction, tuple[GrowthModel, GrowthModel]]

    def __call__(self, generator: np.random.Generator) -> Verdict:
        depths = self.design.run_depths
        plain_noise, residual_noise = generator.normal(size=(2, len(depths)))
        fits: dict[Fraction, tuple[GrowthFit, GrowthFit]] = {}
        for fraction, (plain, residual) in self.growth_models.items():
            try:
                fits[fraction] = (
                    self._fit(plain, depths, plain_noise),
                    self._fit(residual, depths, residual_noise),
                )
            except DegenerateSample:
                continue
        return decide_slowing(fits) if fits else Verdict.NOT_TESTED

    def _fit(self, growth_model: GrowthModel, depths: Array, noise: Array) -> GrowthFit:
        after, by = self.design.censor(growth_model.times(depths, noise), self.design.iterations)
        return fit_growth(EXPONENTIAL, depths, after, by)


def slowing_cases(times: pd.DataFrame, design: Design) -> Iterator[Case]:
    """Yield the cases for the claim that residual networks slow down less with depth.

    A growth model exists only for the fractions of chance error at which it could be fitted to the
    recorded runs.
    """
    measured: dict[Fraction, tuple[GrowthModel, GrowthModel]] = {}
    same: dict[Fraction, tuple[GrowthModel, GrowthModel]] = {}
    for fraction in THRESHOLDS:
        plain = try_fit(EXPONENTIAL, times[times["family"] == "plain"], fraction)
        residual = try_fit(EXPONENTIAL, times[times["family"] == "residual"], fraction)
        if not isinstance(plain, GrowthFit):
            continue
        plain_model = GrowthModel.from_fit(plain)
        same[fraction] = (plain_model, plain_model)
        if isinstance(residual, GrowthFit):
            measured[fraction] = (plain_model, GrowthModel.from_fit(residual))
    swapped = {fraction: (residual, plain) for fraction, (plain, residual) in measured.items()}
    truths = {
        AS_OBSERVED: measured,
        f"{NO_EFFECT}: residual networks behave like plain ones, which is the margin": same,
        "residual and plain networks swapped": swapped,
    }
    for truth, growth_models in truths.items():
        yield Case(LESS_SLOWING, truth, SlowingDraw(design, growth_models))
