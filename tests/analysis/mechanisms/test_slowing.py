"""Do residual networks slow down less with depth? Every verdict and its level."""

import numpy as np
import pytest

from analysis.claim import Verdict
from analysis.interval_censoring import EXPONENTIAL, fit_growth
from analysis.mechanisms.growth import HALF
from analysis.mechanisms.slowing import decide_slowing
from analysis.mechanisms.time_to_threshold import THRESHOLDS
from tests.support.convergence import FLAT, SLOW, explain, select_claim


@pytest.mark.slow
def test_slowing_has_all_three_verdicts():
    claim = select_claim(explain(plain=SLOW, residual=FLAT), "less slowing")
    assert claim.verdict is Verdict.REPRODUCED
    swapped = select_claim(explain(plain=FLAT, residual=SLOW), "less slowing")
    assert swapped.verdict is Verdict.CONTRADICTED
    same = select_claim(explain(plain=SLOW, residual=SLOW), "less slowing")
    assert same.verdict is Verdict.INCONCLUSIVE


def fit_line(slope, spread):
    """Return a fit to ten runs at each of four depths.

    Log times grow by `slope` per layer and differ from that line by up to `spread`.
    """
    depths = np.repeat([20.0, 32, 44, 56], 10)
    noise = np.tile(np.linspace(-1, 1, 10), 4) * spread
    times = np.exp(3 + slope * depths + noise)
    return fit_growth(EXPONENTIAL, depths, times * 0.999, times)


def test_one_of_four_shares_contradicts_by_a_wider_bound():
    """Holm's first step: a 95 % bound beyond the other one is not enough, a 98.75 % bound is."""
    plain, alike = fit_line(0.05, 0.1), fit_line(0.05, 0.3)
    slightly = fit_line(
        0.05 + 0.5 * gap_at(plain, alike, 0.95) + 0.5 * gap_at(plain, alike, 0.9875), 0.3
    )
    clearly = fit_line(0.05 + 1.1 * gap_at(plain, alike, 0.9875), 0.3)
    assert slightly.lower > plain.upper

    def verdict(other, shares):
        return decide_slowing(
            {share: (plain, other if share == shares[0] else alike) for share in shares}
        )

    assert verdict(slightly, [HALF]) is Verdict.CONTRADICTED
    assert verdict(slightly, THRESHOLDS) is Verdict.INCONCLUSIVE
    assert verdict(clearly, THRESHOLDS) is Verdict.CONTRADICTED


def gap_at(plain, residual, level):
    """Return by how much the residual slope must grow for its bound to reach the plain one's."""
    return plain.upper_at(level) - residual.lower_at(level)


@pytest.mark.slow
def test_decisive_line_states_the_level():
    claim = select_claim(explain(plain=FLAT, residual=SLOW), "less slowing")
    shares = int(claim.decisive_line.split("worst case of ")[1].split(" ")[0])
    assert shares > 1
    assert f"residual {100 - 5 / shares:.4g} % lower bound" in claim.decisive_line
    assert (
        "residual 95 % upper bound"
        in select_claim(explain(plain=SLOW, residual=FLAT), "less slowing").decisive_line
    )


@pytest.mark.slow
def test_equal_slopes_contradict_in_five_percent():
    """The slopes are equal; with four 95 % bounds, 18 % of the verdicts would contradict."""
    depths, generator = np.repeat([20.0, 32, 44, 56], 4), np.random.default_rng(0)
    plain, verdicts = fit_line(0.05, 1e-3), []
    for _ in range(100):
        fits = {}
        for share in THRESHOLDS:
            by = np.exp(3 + 0.05 * depths + 0.3 * generator.normal(size=len(depths)))
            fits[share] = (plain, fit_growth(EXPONENTIAL, depths, by * 0.999, by))
        verdicts.append(decide_slowing(fits))
    # 5 % plus two standard errors
    assert 0 < verdicts.count(Verdict.CONTRADICTED) <= 0.1 * len(verdicts)
