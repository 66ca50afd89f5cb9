"""Holm's procedure and Bonferroni's level, by hand."""

import math

import pytest

from analysis.multiple_testing import bonferroni_level, holm_rejections, select_joint
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


def test_statements_that_all_hold_need_no_correction():
    assert select_joint({"a": 0.04, "b": 0.049}) == ["a", "b"]
    assert select_joint({"a": 0.04, "b": 0.051}) == []  # Holm: 0.05/2
    assert select_joint({"a": 0.02, "b": 0.04, "c": math.nan}) == []  # 0.05/3
    assert select_joint({"a": 0.01, "b": 0.04, "c": math.nan}) == ["a"]
    assert select_joint({}) == []
