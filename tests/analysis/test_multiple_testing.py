"""Holm's procedure and Bonferroni's level, by hand."""

import math

import pytest

from analysis.multiple_testing import (
    bonferroni_level,
    hochberg_rejections,
    holm_rejections,
    select_directions,
)
from analysis.statistics import welch_difference


def test_holm_steps_down_from_the_smallest_p():
    # 0.05/4, then 0.02 > 0.05/3
    assert holm_rejections([0.012, 0.04, 0.02, 0.3]) == [True, False, False, False]
    # 0.05/4, /3, /2, /1
    assert holm_rejections([0.012, 0.04, 0.016, 0.02]) == [True] * 4
    assert holm_rejections([0.0125]) == [True]
    assert holm_rejections([0.013, 0.9, 0.9, 0.9]) == [False] * 4
    assert holm_rejections([math.nan, 0.02]) == [False, True]
    assert holm_rejections([]) == []


def test_simultaneous_level_is_bonferroni():
    assert bonferroni_level(1) == 0.95
    assert bonferroni_level(4) == pytest.approx(0.9875)
    difference = welch_difference([52.0, 47.5, 56.5], [1.6, 1.3, 2.1, 1.9])
    assert difference.p_above(difference.lower_at(bonferroni_level(4))) == pytest.approx(0.0125)


def test_hochberg_steps_up_from_the_largest_p():
    assert hochberg_rejections([0.04, 0.049]) == [True, True]  # each below 0.05
    assert hochberg_rejections([0.04, 0.051]) == [False, False]  # 0.05/2
    assert hochberg_rejections([0.024, 0.051]) == [True, False]
    # 0.3 and 0.03 fail at 0.05 and 0.05/2, 0.016 passes at 0.05/3 and takes 0.015 along
    assert hochberg_rejections([0.3, 0.03, 0.015, 0.016]) == [False, False, True, True]
    assert hochberg_rejections([math.nan, 0.02]) == [False, True]
    assert hochberg_rejections([]) == []


def test_each_value_is_tested_in_one_direction():
    """Five values at two sides: two families of five would leave the last one open."""
    above = {"a": 0.0046, "b": 0.0032, "c": 0.0289, "d": 0.99, "e": 0.9999}
    below = {key: 1 - p for key, p in above.items()}
    below["d"], below["e"] = 0.0112, 0.0001
    assert select_directions(above, below) == (["a", "b", "c"], ["d", "e"])
    unknown = {"a": math.nan}
    assert select_directions(unknown, unknown) == ([], [])
    assert select_directions({}, {}) == ([], [])
