"""Verdicts from several differences and a margin: at the bound from both sides, and by chance."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis.claim import (
    Verdict,
    decide,
    error_resolution,
    is_untrained,
    paired_by_seed,
    training_error_difference,
)
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.evidence import format_bound, format_comparison
from analysis.frame import group_by_depth
from analysis.requirements import missing_requirements, repeated_seeds
from analysis.statistics import (
    Difference,
    difference_of_minima,
    paired_difference,
    welch_difference,
)

EXACT = {20: Difference(0.1, 0.0, 4.0), 56: Difference(0.4, 0.0, 4.0)}


def difference_with(side: str, value: float, together: int = 1) -> Difference:
    """A difference with spread whose bound of this side is this value, where so many hold together."""
    zero = Difference(0.0, 1.0, 4.0)
    level = 1 - 0.05 / together
    shift = zero.lower_at(level) if side == "lower" else zero.upper_at(level)
    return Difference(value - shift, 1.0, 4.0)


@pytest.mark.parametrize(
    ("beyond", "verdict"), [(-1e-6, Verdict.REPRODUCED), (1e-6, Verdict.INCONCLUSIVE)]
)
def test_below_is_reproduced_up_to_the_margin(beyond, verdict):
    differences = {32: Difference(-9.0, 1.0, 4.0), 56: difference_with("upper", 2.0 + beyond)}
    decision = decide(differences, "below", 2.0)
    assert (decision.verdict, decision.worst, decision.side, decision.simultaneous) == (
        verdict,
        56,
        "upper",
        1,
    )


@pytest.mark.parametrize("others", [0, 1, 3])
@pytest.mark.parametrize(("beyond", "contradicted"), [(-1e-6, False), (1e-6, True)])
def test_contradiction_needs_a_bound_for_all(others, beyond, contradicted):
    differences = {depth: Difference(0.0, 1.0, 4.0) for depth in range(others)}
    differences[56] = difference_with("lower", 2.0 + beyond, together=others + 1)
    decision = decide(differences, "below", 2.0)
    assert (decision.verdict is Verdict.CONTRADICTED) == contradicted
    if contradicted:
        assert (decision.worst, decision.side, decision.simultaneous) == (56, "lower", others + 1)


def test_above_is_the_mirror_image():
    assert decide(EXACT, "above", 0.05).verdict is Verdict.REPRODUCED
    assert decide(EXACT, "above", 0.2).verdict is Verdict.CONTRADICTED
    noisy = {56: Difference(0.4, 1.0, 4.0)}
    assert decide(noisy, "above", 0.2).verdict is Verdict.INCONCLUSIVE
    assert decide(EXACT, "above", 0.05).worst == 20
    assert decide(EXACT, "above", 0.05).side == "lower"
    assert decide(EXACT, "above", 0.2).side == "upper"


def test_an_unknown_difference_allows_neither_verdict():
    unknown = Difference(math.nan, math.nan, math.nan)
    assert decide({20: EXACT[20], 56: unknown}, "below", 2.0).verdict is Verdict.INCONCLUSIVE
    assert decide({20: EXACT[20], 56: unknown}, "below", 2.0).worst == 56
    assert decide({20: EXACT[20], 56: unknown}, "above", -2.0).verdict is Verdict.INCONCLUSIVE
    assert (
        decide({20: Difference(9.0, 0.0, 4.0), 56: unknown}, "below", 2.0).verdict
        is Verdict.CONTRADICTED
    )


def test_a_bound_says_how_many_hold_together():
    one = Difference(3.0, 1.0, 4.0)
    assert format_bound(one, "lower") == "+3.00 points, 95 % lower bound +0.87"
    assert (
        format_bound(one, "lower", 4) == "+3.00 points, 95 % lower bound (Holm, 4 together) -0.50"
    )


@pytest.mark.parametrize(("depths", "trials"), [(4, 1000), (25, 400)])
def test_no_more_than_5_percent_contradict_by_chance(depths, trials):
    """The truth is exactly at the margin everywhere; any of the bounds at 5 % each would do so in 11 and 71 %."""
    generator = np.random.default_rng(0)
    contradicted = 0
    for _ in range(trials):
        differences = {
            depth: welch_difference(
                generator.normal(2, 1, 3).tolist(), generator.normal(0, 1, 3).tolist()
            )
            for depth in range(depths)
        }
        contradicted += decide(differences, "below", 2.0).verdict is Verdict.CONTRADICTED
    assert contradicted / trials < 0.07


def groups_of(frame_of, values, **columns):
    return group_by_depth(frame_of({"residual": values}, **columns).runs, "residual")


def test_a_seed_that_is_there_twice_is_named_and_not_averaged(frame_of):
    groups = groups_of(frame_of, {20: [1.0, 2.0], 110: [1.0, 2.0, 3.0]})
    groups[110]["seed"] = [0, 1, 0]
    told = "seed 0 of residual-110 is recorded twice: run ids residual-d110-s0, residual-d110-s2"
    assert missing_requirements({"residual": groups}, depths=2) == [told]
    groups[110]["seed"] = [0, 0, 0]
    assert missing_requirements({"residual": groups}, depths=2)[0].startswith(
        "seed 0 of residual-110 is recorded 3 times: run ids "
    )


def test_only_finished_runs_are_there_twice(frame_of):
    part = groups_of(frame_of, {110: [1.0, 2.0]})[110].assign(seed=0)
    assert repeated_seeds(part.assign(state=["done", "diverged"]), "net") != []
    for state in ("missing", "running", "partial", "failed"):
        assert repeated_seeds(part.assign(state=["done", state]), "net") == []


def test_the_same_seeds_are_compared_seed_by_seed(frame_of):
    groups = groups_of(frame_of, {20: [1.0, 2.0, 4.0], 56: [7.0, 5.5, 9.0]})
    shuffled = groups[56].iloc[[2, 0, 1]]
    expected = paired_difference([7.0, 5.5, 9.0], [1.0, 2.0, 4.0])
    assert paired_by_seed(shuffled, groups[20]) == expected
    line = format_comparison(training_error_difference(shuffled, groups[20]), shuffled, groups[20])
    assert "points (Welch: one-sided 95 % bounds " in line
    assert line.endswith(
        f"; paired by seed: one-sided 95 % bounds {expected.lower:+.2f}, {expected.upper:+.2f}"
    )


def test_other_seeds_are_not_paired(frame_of):
    groups = groups_of(frame_of, {20: [1.0, 2.0, 4.0], 56: [7.0, 5.5, 9.0]})
    groups[20]["seed"] = [0, 1, 3]
    assert paired_by_seed(groups[56], groups[20]) is None
    assert "paired" not in format_comparison(
        training_error_difference(groups[56], groups[20]), groups[56], groups[20]
    )


def test_one_seed_or_a_seed_that_is_there_twice_is_not_paired(frame_of):
    part = groups_of(frame_of, {20: [1.0, 2.0, 4.0]})[20]
    assert paired_by_seed(part, part) is not None
    assert paired_by_seed(part.iloc[:1], part.iloc[:1]) is None
    assert paired_by_seed(part.assign(seed=[0, 1, 1]), part.assign(seed=[0, 1, 1])) is None


def test_a_difference_knows_the_step_of_its_errors(frame_of):
    groups = groups_of(frame_of, {20: [1.0] * 3, 56: [1.2] * 3}, error_step=0.0667)
    assert training_error_difference(groups[56], groups[20]) == welch_difference(
        [1.2] * 3, [1.0] * 3, 0.0667
    )
    assert paired_by_seed(groups[56], groups[20]) == paired_difference([1.2] * 3, [1.0] * 3, 0.0667)
    groups[20]["error_step"] = [0.1, math.nan, math.nan]
    assert error_resolution(groups[56], groups[20]) == 0.1
    unknown = groups_of(frame_of, {20: [1.0] * 3})[20]
    assert error_resolution(unknown, unknown) == 0.0


@pytest.mark.parametrize(("beyond", "expected"), [(0.0, True), (-0.01, False)])
def test_a_depth_is_untrained_by_the_mean_of_its_runs(frame_of, beyond, expected):
    """One run alone, of which the frame's column speaks, may be on the other side."""
    limit = 90.0 - UNTRAINED_WITHIN_POINTS + beyond
    part = groups_of(frame_of, {20: [limit - 8, limit + 1, limit + 7]})[20]
    assert is_untrained(part) is expected
    assert is_untrained(groups_of(frame_of, {20: [limit]})[20]) is expected


def test_the_best_of_several_is_decided_like_one_difference():
    """Both sides of its bounds."""
    difference = difference_of_minima(
        [[5.0, 5.2, 5.1], [6.0, 6.3, 6.1]], [[1.0, 1.3, 1.1], [0.9, 1.2, 1.3]]
    )
    for beyond, above, below in (
        (-1e-6, Verdict.REPRODUCED, Verdict.CONTRADICTED),
        (1e-6, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
    ):
        assert decide({56: difference}, "above", difference.lower + beyond).verdict is above
        assert decide({56: difference}, "below", difference.lower + beyond).verdict is below
        assert decide({56: difference}, "below", difference.upper - beyond).verdict is above
        assert decide({56: difference}, "above", difference.upper - beyond).verdict is below
    part = pd.DataFrame({"seed": [0, 1], "training_error": [1.0, 2.0]})
    assert "corrected for the choice of the best: one-sided" in format_comparison(
        difference, part, part
    )


@pytest.mark.parametrize("known", ["first", "second"])
def test_a_difference_knows_the_step_of_either_side(frame_of, known):
    """Runs that all agree leave no spread; what they are known to is the larger step of the two sides."""
    frame = frame_of({"plain": {20: [1.0, 1.0], 56: [3.0, 3.0]}})
    deep, shallow = (frame.runs[frame.runs["depth"] == depth] for depth in (56, 20))
    steps = {"first": (0.5, float("nan")), "second": (float("nan"), 0.5)}[known]
    difference = training_error_difference(
        deep.assign(error_step=steps[0]), shallow.assign(error_step=steps[1])
    )
    assert difference.standard_error == pytest.approx(math.sqrt(2 * 0.5**2 / 12 / 2))
