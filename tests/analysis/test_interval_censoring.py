"""The regression of censored times against known parameters, least squares and simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.growth_discrimination import predict_discrimination
from analysis.interval_censoring import (
    EXPONENTIAL,
    FORMS,
    POWER,
    DegenerateSample,
    fit_growth,
    smallest_sigma,
)

DEPTHS = np.repeat([20.0, 32.0, 44.0, 56.0, 110.0], 12)


def draw_times(a, b, sigma, z=lambda depth: depth, seed=0):
    noise = np.random.default_rng(seed).normal(size=len(DEPTHS))
    return np.exp(a + b * z(DEPTHS) + sigma * noise)


def censor(times, every, last):
    """Return the intervals (after, by] in which evaluations up to `last` locate the times."""
    by = np.ceil(times / every) * every
    return np.where(by > last, last, by - every), np.where(by > last, np.inf, by)


def test_exact_times_give_least_squares_and_student_bounds():
    times = draw_times(3.0, 0.05, 0.3)
    fit = fit_growth(EXPONENTIAL, DEPTHS, times * (1 - 1e-5), times)
    line = stats.linregress(DEPTHS, np.log(times))
    assert fit.slope == pytest.approx(line.slope, rel=1e-3)
    assert fit.intercept == pytest.approx(line.intercept, rel=1e-3)
    residuals = np.log(times) - line.intercept - line.slope * DEPTHS
    assert fit.sigma == pytest.approx(np.sqrt(np.mean(residuals**2)), rel=1e-3)
    freedom = len(DEPTHS) - 2
    for side, confidence in (("lower", 0.95), ("low", 0.975)):
        half = stats.t.ppf(confidence, freedom) * line.stderr
        assert getattr(fit, side) == pytest.approx(line.slope - half, rel=1e-3)
    assert fit.upper - fit.slope == pytest.approx(fit.slope - fit.lower, rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(("every", "last"), [(1.0, 1e9), (40.0, 1e9), (40.0, 400.0), (10.0, 200.0)])
def test_two_sided_bounds_cover_the_true_slope(every, last):
    inside = []
    for seed in range(20):
        after, by = censor(draw_times(3.0, 0.05, 0.3, seed=seed), every, last)
        fit = fit_growth(EXPONENTIAL, DEPTHS, after, by)
        inside.append(fit.low <= 0.05 <= fit.high)
        assert fit.lower > 0
    assert sum(inside) >= 17  # 19 are expected; fewer than 17 have a probability below 2 %


def test_dropping_censored_runs_biases_the_slope():
    """Without the runs that never got there, the times seem to grow more slowly in every sample."""
    all_runs, uncensored = [], []
    for seed in range(10):
        after, by = censor(draw_times(3.0, 0.05, 0.5, seed=seed), 40.0, 400.0)
        reached = np.isfinite(by)
        assert 0 < reached.sum() < len(reached)
        all_runs.append(fit_growth(EXPONENTIAL, DEPTHS, after, by).slope)
        uncensored.append(
            fit_growth(EXPONENTIAL, DEPTHS[reached], after[reached], by[reached]).slope
        )
    assert all(less < more for less, more in zip(uncensored, all_runs, strict=True))
    assert np.mean(all_runs) == pytest.approx(0.05, rel=0.05)
    assert np.mean(uncensored) < 0.044


def test_later_censoring_raises_the_slope():
    depths = [20, 20, 32, 32, 44, 44, 56, 56]
    after, by = (
        [40.0, 80, 80, 120, 160, 200, 400, 400],
        [80.0, 120, 120, 160, 200, 240, np.inf, np.inf],
    )
    early = fit_growth(EXPONENTIAL, depths, after, by)
    late = fit_growth(EXPONENTIAL, depths, [*after[:-2], 2000, 2000], by)
    assert late.slope > early.slope


def test_true_form_is_likelier():
    for true_form, a, z in (
        (EXPONENTIAL, 3.0, lambda depth: 0.05 * depth),
        (POWER, 0.0, lambda depth: 2 * np.log(depth)),
    ):
        times = draw_times(a, 1.0, 0.2, z)
        after, by = censor(times, 10.0, 1e9)
        likelihoods = {
            form: fit_growth(form, DEPTHS, after, by).log_likelihood
            for form in (EXPONENTIAL, POWER)
        }
        assert max(likelihoods, key=likelihoods.get) == true_form
    power = fit_growth(POWER, DEPTHS, after, by)
    assert power.low <= 2 <= power.high
    assert power.median_time(44) == pytest.approx(44**2, rel=0.2)


@pytest.mark.parametrize(
    ("after", "by", "message"),
    [
        ([400.0] * 6, [np.inf] * 6, "none of 6 runs reached it"),
        ([0.0] * 6, [40.0] * 6, "all 6 runs had reached it by their first evaluation"),
        (
            [40.0, 80, 40, 400, 400, 400],
            [80.0, 120, 80, np.inf, np.inf, np.inf],
            "at 1 depth; a slope needs 2",
        ),
        ([40.0, 400, 400, 80, 400, 400], [80.0, np.inf, np.inf, 120, np.inf, np.inf], "needs 3"),
    ],
)
def test_degenerate_times_are_rejected(after, by, message):
    with pytest.raises(DegenerateSample, match=message):
        fit_growth(EXPONENTIAL, [20, 20, 20, 56, 56, 56], after, by)


def test_sigma_floor_keeps_the_bounds_apart():
    """If a line passes through every interval, sigma is held at what the evaluations resolve.

    Otherwise the likelihood would have no maximum and the bounds no width.
    """
    depths, by = [20, 30, 40, 50], [100.0, 200.0, 400.0, 800.0]
    after = [50.0, 100.0, 200.0, 400.0]
    fit = fit_growth(EXPONENTIAL, depths, after, by)
    assert fit.is_at_floor
    assert fit.sigma == pytest.approx(np.log(2) / np.sqrt(12))
    assert smallest_sigma(after, by) == fit.sigma_floor
    assert fit.slope == pytest.approx(np.log(2) / 10, rel=1e-3)
    assert fit.lower < fit.slope < fit.upper
    assert fit.upper - fit.lower > 0.02


def test_bounds_widen_with_their_level():
    fit = fit_growth(EXPONENTIAL, DEPTHS, *censor(draw_times(3.0, 0.05, 0.3), 40.0, 400.0))
    assert fit.upper_at(0.95) == fit.upper
    assert fit.lower_at(0.975) == fit.low
    assert fit.lower_at(0.9875) < fit.low < fit.lower < fit.slope
    assert fit.slope < fit.upper < fit.high < fit.upper_at(0.9875)


def fit_both(form, other, depths, intervals):
    """Return the fit of the true form, and its log-likelihood minus that of the other form."""
    true_fit, other_fit = (fit_growth(name, depths, *intervals) for name in (form, other))
    return true_fit, true_fit.log_likelihood - other_fit.log_likelihood


@pytest.mark.parametrize(
    ("every", "last"), [pytest.param(10.0, 1000.0, marks=pytest.mark.slow), (40.0, 200.0)]
)
@pytest.mark.parametrize(
    ("form", "other", "a", "b"), [(EXPONENTIAL, POWER, 3.0, 0.05), (POWER, EXPONENTIAL, -0.6, 1.5)]
)
def test_predicted_discrimination_matches_simulation(every, last, form, other, a, b):
    """Mean and spread of the difference of log-likelihoods, and how often it is clear."""
    depths = np.repeat([14.0, 20, 26, 32, 38, 44], 4)
    generator, gains = np.random.default_rng(1), []
    for _ in range(150):
        times = np.exp(a + b * FORMS[form](depths) + 0.2 * generator.normal(size=len(depths)))
        last_fit, gain = fit_both(form, other, depths, censor(times, every, last))
        gains.append(gain)
    truth = replace(last_fit, intercept=a, slope=b, sigma=0.2)
    predicted = predict_discrimination(truth, other, depths, np.arange(every, last + 1, every))
    assert predicted.mean == pytest.approx(np.mean(gains), abs=0.35)
    assert predicted.std == pytest.approx(np.std(gains), rel=0.2)
    assert predicted.probability(2) == pytest.approx(np.mean(np.array(gains) >= 2), abs=0.15)


def test_discrimination_varies_about_the_mean_of_each_run():
    """If times are known well, each run prefers the true form by far more than that varies."""
    depths = np.repeat([14.0, 26, 44], 4)
    generator, gains = np.random.default_rng(2), []
    for _ in range(100):
        times = np.exp(3 + 0.05 * depths + 0.04 * generator.normal(size=len(depths)))
        last_fit, gain = fit_both(EXPONENTIAL, POWER, depths, censor(times, 1.0, 400.0))
        gains.append(gain)
    truth = replace(last_fit, intercept=3.0, slope=0.05, sigma=0.04)
    predicted = predict_discrimination(truth, POWER, depths, np.arange(1, 401))
    assert predicted.mean > 0.9 * len(depths)
    assert predicted.std == pytest.approx(np.std(gains), rel=0.25)
