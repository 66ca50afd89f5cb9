"""The regression of censored times: known parameters, least squares as its limit, and what dropping runs would do."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.interval_censoring import (
    EXPONENTIAL,
    FORMS,
    POWER,
    DegenerateSample,
    fit_growth,
    predict_discrimination,
    smallest_sigma,
)

DEPTHS = np.repeat([20.0, 32.0, 44.0, 56.0, 110.0], 12)


def simulated(a, b, sigma, z=lambda depth: depth, seed=0):
    noise = np.random.default_rng(seed).normal(size=len(DEPTHS))
    return np.exp(a + b * z(DEPTHS) + sigma * noise)


def looked_at(times, every, last):
    """(after, by] of times that are looked at every so many iterations, up to the last."""
    by = np.ceil(times / every) * every
    return np.where(by > last, last, by - every), np.where(by > last, np.inf, by)


def test_with_exact_times_it_is_least_squares_and_students_bounds():
    times = simulated(3.0, 0.05, 0.3)
    found = fit_growth(EXPONENTIAL, DEPTHS, times * (1 - 1e-5), times)
    line = stats.linregress(DEPTHS, np.log(times))
    assert found.slope == pytest.approx(line.slope, rel=1e-3)
    assert found.intercept == pytest.approx(line.intercept, rel=1e-3)
    residuals = np.log(times) - line.intercept - line.slope * DEPTHS
    assert found.sigma == pytest.approx(np.sqrt(np.mean(residuals**2)), rel=1e-3)
    freedom = len(DEPTHS) - 2
    for side, confidence in (("lower", 0.95), ("low", 0.975)):
        half = stats.t.ppf(confidence, freedom) * line.stderr
        assert getattr(found, side) == pytest.approx(line.slope - half, rel=1e-3)
    assert found.upper - found.slope == pytest.approx(found.slope - found.lower, rel=1e-2)


@pytest.mark.parametrize(("every", "last"), [(1.0, 1e9), (40.0, 1e9), (40.0, 400.0), (10.0, 200.0)])
def test_known_parameters_are_inside_the_two_sided_bounds(every, last):
    inside = []
    for seed in range(20):
        after, by = looked_at(simulated(3.0, 0.05, 0.3, seed=seed), every, last)
        found = fit_growth(EXPONENTIAL, DEPTHS, after, by)
        inside.append(found.low <= 0.05 <= found.high)
        assert found.lower > 0
    assert sum(inside) >= 17  # 19 of 20 are expected; 16 or fewer in 20 have a chance below 2 %


def test_dropping_the_censored_runs_would_flatter():
    """What never got there is not left out: without it the times seem to grow more slowly, in every repetition."""
    whole, without = [], []
    for seed in range(10):
        after, by = looked_at(simulated(3.0, 0.05, 0.5, seed=seed), 40.0, 400.0)
        seen = np.isfinite(by)
        assert 0 < seen.sum() < len(seen)
        whole.append(fit_growth(EXPONENTIAL, DEPTHS, after, by).slope)
        without.append(fit_growth(EXPONENTIAL, DEPTHS[seen], after[seen], by[seen]).slope)
    assert all(less < more for less, more in zip(without, whole, strict=True))
    assert np.mean(whole) == pytest.approx(0.05, rel=0.05)
    assert np.mean(without) < 0.044


def test_a_later_censoring_moves_the_slope_up():
    depths = [20, 20, 32, 32, 44, 44, 56, 56]
    after, by = (
        [40.0, 80, 80, 120, 160, 200, 400, 400],
        [80.0, 120, 120, 160, 200, 240, np.inf, np.inf],
    )
    early = fit_growth(EXPONENTIAL, depths, after, by)
    late = fit_growth(EXPONENTIAL, depths, [*after[:-2], 2000, 2000], by)
    assert late.slope > early.slope


def test_the_form_that_made_the_times_is_the_likelier_one():
    for made, a, z in (
        (EXPONENTIAL, 3.0, lambda depth: 0.05 * depth),
        (POWER, 0.0, lambda depth: 2 * np.log(depth)),
    ):
        times = simulated(a, 1.0, 0.2, z)
        after, by = looked_at(times, 10.0, 1e9)
        likelihoods = {
            form: fit_growth(form, DEPTHS, after, by).log_likelihood
            for form in (EXPONENTIAL, POWER)
        }
        assert max(likelihoods, key=likelihoods.get) == made
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
def test_times_that_determine_no_slope_are_refused(after, by, message):
    with pytest.raises(DegenerateSample, match=message):
        fit_growth(EXPONENTIAL, [20, 20, 20, 56, 56, 56], after, by)


def test_a_line_through_every_interval_does_not_make_the_slope_certain():
    """Sigma is held at what evaluations resolve, or the likelihood would have no maximum and the bounds no width."""
    depths, by = [20, 30, 40, 50], [100.0, 200.0, 400.0, 800.0]
    after = [50.0, 100.0, 200.0, 400.0]
    found = fit_growth(EXPONENTIAL, depths, after, by)
    assert found.is_at_floor
    assert found.sigma == pytest.approx(np.log(2) / np.sqrt(12))
    assert smallest_sigma(after, by) == found.sigma_floor
    assert found.slope == pytest.approx(np.log(2) / 10, rel=1e-3)
    assert found.lower < found.slope < found.upper
    assert found.upper - found.lower > 0.02


def test_a_bound_of_a_higher_level_is_further_out():
    found = fit_growth(EXPONENTIAL, DEPTHS, *looked_at(simulated(3.0, 0.05, 0.3), 40.0, 400.0))
    assert found.bound(0.95, 1) == found.upper
    assert found.bound(0.975, -1) == found.low
    assert (
        found.bound(0.9875, -1)
        < found.low
        < found.lower
        < found.slope
        < found.upper
        < found.bound(0.9875, 1)
    )


@pytest.mark.parametrize(("every", "last"), [(10.0, 1000.0), (40.0, 200.0)])
@pytest.mark.parametrize(
    ("form", "other", "a", "b"), [(EXPONENTIAL, POWER, 3.0, 0.05), (POWER, EXPONENTIAL, -0.6, 1.5)]
)
def test_discrimination_is_what_simulation_finds(every, last, form, other, a, b):
    """Mean and spread of the difference of log-likelihoods, and how often it is clear, without a simulation."""
    depths = np.repeat([14.0, 20, 26, 32, 38, 44], 4)
    generator, differences = np.random.default_rng(1), []
    for _ in range(150):
        times = np.exp(a + b * FORMS[form](depths) + 0.2 * generator.normal(size=len(depths)))
        seen = looked_at(times, every, last)
        true, false = (fit_growth(one, depths, *seen).log_likelihood for one in (form, other))
        differences.append(true - false)
    truth = replace(fit_growth(form, depths, *seen), intercept=a, slope=b, sigma=0.2)
    found = predict_discrimination(truth, other, depths, np.arange(every, last + 1, every))
    assert found.mean == pytest.approx(np.mean(differences), abs=0.35)
    assert found.deviation == pytest.approx(np.std(differences), rel=0.2)
    assert found.probability(2) == pytest.approx(np.mean(np.array(differences) >= 2), abs=0.15)


def test_discrimination_varies_as_runs_do_about_their_mean():
    """Where times are known well each run prefers the true form by much: by how much varies less than it is."""
    depths, generator = np.repeat([14.0, 26, 44], 4), np.random.default_rng(2)
    differences = []
    for _ in range(100):
        seen = looked_at(
            np.exp(3 + 0.05 * depths + 0.04 * generator.normal(size=len(depths))), 1.0, 400.0
        )
        true, false = (
            fit_growth(form, depths, *seen).log_likelihood for form in (EXPONENTIAL, POWER)
        )
        differences.append(true - false)
    truth = replace(fit_growth(EXPONENTIAL, depths, *seen), intercept=3.0, slope=0.05, sigma=0.04)
    found = predict_discrimination(truth, POWER, depths, np.arange(1, 401))
    assert found.mean > 0.9 * len(depths)
    assert found.deviation == pytest.approx(np.std(differences), rel=0.25)
