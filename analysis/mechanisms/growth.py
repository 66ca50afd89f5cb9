"""How the number of iterations to reach an error grows with depth: fits of two forms.

The form is exponential (every layer multiplies the iterations by the same factor) or a power law
(each doubling of the depth does).
"""

import math
from collections.abc import Sequence
from fractions import Fraction

import pandas as pd

from analysis.difference_line import format_bounds
from analysis.interval_censoring import EXPONENTIAL, POWER, DegenerateSample, GrowthFit, fit_growth
from analysis.mechanisms.time_to_threshold import censor_at

HALF = Fraction(1, 2)  # fraction of chance error at which the two forms are compared
OTHER_FORM = {EXPONENTIAL: POWER, POWER: EXPONENTIAL}
LAYERS = 10  # factors are reported per this many layers
MAX_EXPONENT = 700.0  # e to a larger number overflows


def try_fit(form: str, times: pd.DataFrame, fraction: Fraction) -> GrowthFit | str:
    """Fit one form of growth, or return the reason, as text, if the times allow no fit.

    `times`: rows of `time_to_threshold.measure_times` of one family. `fraction`: the fraction of
    chance error.
    """
    rows = times[times["threshold"] == float(fraction)]
    try:
        return fit_growth(form, rows["depth"], rows["after"], rows["by"])
    except DegenerateSample as error:
        return str(error)


def fit_both_forms(times: pd.DataFrame, milestones: Sequence[int]) -> dict[str, GrowthFit | str]:
    """Fit both forms to the iterations to half of chance error, before the learning rate drops.

    A run that reaches it after the first of the `milestones` is treated as censored there. Without
    milestones, the whole training run counts.
    """
    censored_times = censor_at(times, milestones[0]) if milestones else times
    return {form: try_fit(form, censored_times, HALF) for form in (EXPONENTIAL, POWER)}


def compare_forms(exponential: GrowthFit, power: GrowthFit) -> float:
    """Return the log-likelihood of the exponential form minus that of the power law."""
    return exponential.log_likelihood - power.log_likelihood


def format_factor(slope: float) -> str:
    """Return the factor by which LAYERS layers multiply the iterations. `slope`: per layer."""
    if slope == math.inf:
        return "unbounded"
    return f"{math.exp(min(LAYERS * slope, MAX_EXPONENT)):.3g}"


def format_fit(fit: GrowthFit | str) -> str:
    """Return an exponential fit as a factor with all its bounds, or why there is no fit."""
    if isinstance(fit, str):
        return fit
    bounds = format_bounds(fit, show=format_factor)
    return f"factor per {LAYERS} layers {format_factor(fit.slope)} ({bounds})"
