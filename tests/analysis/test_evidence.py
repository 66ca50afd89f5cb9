"""Verdicts from several differences and a margin: at the bound from both sides, and by chance."""

import math

import numpy as np
import pytest

from analysis.evidence import Verdict, bound, decide_above, decide_below
from analysis.statistics import Difference, welch

EXACT = {20: Difference(0.1, 0.0, 4.0), 56: Difference(0.4, 0.0, 4.0)}


def difference_with(side: str, value: float, together: int = 1) -> Difference:
    """A difference with spread whose bound of this side is this value, where so many hold together."""
    zero = Difference(0.0, 1.0, 4.0)
    level = 1 - 0.05 / together
    shift = zero.lower_at(level) if side == "lower" else zero.upper_at(level)
    return Difference(value - shift, 1.0, 4.0)


@pytest.mark.parametrize(("beyond", "verdict"), [(-1e-6, Verdict.REPRODUCED), (1e-6, Verdict.INCONCLUSIVE)])
def test_below_is_reproduced_up_to_the_margin(beyond, verdict):
    differences = {32: Difference(-9.0, 1.0, 4.0), 56: difference_with("upper", 2.0 + beyond)}
    decision = decide_below(differences, 2.0)
    assert (decision.verdict, decision.worst, decision.side, decision.together) == (verdict, 56, "upper", 1)


@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize(("beyond", "contradicted"), [(-1e-6, False), (1e-6, True)])
def test_contradiction_needs_a_bound_for_all(others, beyond, contradicted):
    differences = {depth: Difference(0.0, 1.0, 4.0) for depth in range(others)}
    differences[56] = difference_with("lower", 2.0 + beyond, together=others + 1)
    decision = decide_below(differences, 2.0)
    assert (decision.verdict is Verdict.CONTRADICTED) == contradicted
    if contradicted:
        assert (decision.worst, decision.side, decision.together) == (56, "lower", others + 1)


def test_above_is_the_mirror_image():
    assert decide_above(EXACT, 0.05).verdict is Verdict.REPRODUCED
    assert decide_above(EXACT, 0.2).verdict is Verdict.CONTRADICTED
    noisy = {56: Difference(0.4, 1.0, 4.0)}
    assert decide_above(noisy, 0.2).verdict is Verdict.INCONCLUSIVE
    assert decide_above(EXACT, 0.05).worst == 20
    assert decide_above(EXACT, 0.05).side == "lower"
    assert decide_above(EXACT, 0.2).side == "upper"


def test_an_unknown_difference_allows_neither_verdict():
    unknown = Difference(math.nan, math.nan, math.nan)
    assert decide_below({20: EXACT[20], 56: unknown}, 2.0).verdict is Verdict.INCONCLUSIVE
    assert decide_below({20: EXACT[20], 56: unknown}, 2.0).worst == 56
    assert decide_above({20: EXACT[20], 56: unknown}, -2.0).verdict is Verdict.INCONCLUSIVE
    assert decide_below({20: Difference(9.0, 0.0, 4.0), 56: unknown}, 2.0).verdict is Verdict.CONTRADICTED


def test_a_bound_says_how_many_hold_together():
    one = Difference(3.0, 1.0, 4.0)
    assert bound(one, "lower") == "+3.00 points, 95 % lower bound +0.87"
    assert bound(one, "lower", 4) == "+3.00 points, 95 % lower bound (Holm, 4 together) -0.50"


@pytest.mark.parametrize("depths", [4, 25])
def test_no_more_than_5_percent_contradict_by_chance(depths):
    """The truth is exactly at the margin everywhere; any of the bounds at 5 % each would do so in 11 and 71 %."""
    generator = np.random.default_rng(0)
    trials, contradicted = 1000, 0
    for _ in range(trials):
        differences = {
            depth: welch(generator.normal(2, 1, 3).tolist(), generator.normal(0, 1, 3).tolist())
            for depth in range(depths)
        }
        contradicted += decide_below(differences, 2.0).verdict is Verdict.CONTRADICTED
    assert contradicted / trials < 0.065
