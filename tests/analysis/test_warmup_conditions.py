"""Which runs with and without a warm-up belong to one condition."""

import pytest

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.conditions import find_varying_keys, list_conditions
from tests.support.conditions import (
    WARMUP,
    assert_no_seed_is_repeated,
    build_config_columns,
    join_named,
    list_labels,
    list_networks,
)

OTHER_WARMUP = WARMUP | {"max_iterations": 2000}
BY_ERROR = WARMUP | {"max_iterations": None}


def test_warmup_that_is_off_is_another_condition():
    """Averaging over both would contradict 'no degradation' by 30 points."""
    frame = join_named(
        (
            "cold",
            {"residual": {20: [0.5, 0.6, 0.7], 110: [60.0, 61.0, 62.0]}},
            build_config_columns(),
        ),
        ("warm", {"residual": {110: [0.4, 0.5, 0.6]}}, build_config_columns(WARMUP)),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["cold:residual-20", "warm:residual-110"],
        ["cold:residual-110", "cold:residual-20"],
    ]
    assert list_labels(frame) == [
        "warm-up at learning rate 0.01",
        "no warm-up",
    ]
    warm, cold = list_conditions(frame)
    verdicts = [judge(condition.frame.runs, 2.0)[1].verdict for condition in (warm, cold)]
    assert verdicts == [Verdict.REPRODUCED, Verdict.CONTRADICTED]
    assert "+60.40" in judge(cold.frame.runs, 2.0)[1].decisive_line


def test_networks_too_shallow_for_a_warmup_join_those_with_one():
    frame = join_named(
        (
            "short",
            {"plain": {20: [1.0, 2.0], 56: [5.0, 6.0]}, "residual": {20: [1.0, 1.0]}},
            build_config_columns(),
        ),
        (
            "warm",
            {"plain": {110: [60.0, 70.0]}, "residual": {110: [0.5, 0.6]}},
            build_config_columns(WARMUP),
        ),
    )
    assert find_varying_keys(frame.runs) == []
    assert list_labels(frame) == [""]


@pytest.mark.parametrize("depth", [56, 110])
def test_deep_network_without_warmup_has_it_switched_off(depth):
    frame = join_named(
        ("cold", {"residual": {20: [1.0], depth: [1.0]}}, build_config_columns()),
        ("warm", {"residual": {56: [0.5], 110: [0.5]}}, build_config_columns(WARMUP)),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["cold:residual-20", "warm:residual-110", "warm:residual-56"],
        sorted(["cold:residual-20", f"cold:residual-{depth}"]),
    ]


def test_warmups_of_different_lengths_are_separate():
    """The shallow networks belong to both conditions."""
    frame = join_named(
        ("short", {"residual": {20: [1.0]}}, build_config_columns()),
        ("one", {"residual": {110: [0.5]}}, build_config_columns(WARMUP)),
        ("other", {"residual": {110: [0.6]}}, build_config_columns(OTHER_WARMUP)),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["one:residual-110", "short:residual-20"],
        ["other:residual-110", "short:residual-20"],
    ]


def test_null_inside_a_warmup_is_a_value():
    """A warm-up without a limit differs from one that ends after 400 iterations at the latest."""
    frame = join_named(
        ("short", {"residual": {20: [1.0]}}, build_config_columns()),
        ("limited", {"residual": {110: [0.5]}}, build_config_columns(WARMUP)),
        ("open", {"residual": {110: [0.6]}}, build_config_columns(BY_ERROR)),
    )
    assert find_varying_keys(frame.runs) == ["config.schedule.warmup.max_iterations"]
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["limited:residual-110", "short:residual-20"],
        ["open:residual-110", "short:residual-20"],
    ]


def test_depth_of_a_warmup_may_differ_between_rates():
    """It applies to 110 or more layers at rate 0.1 (56 are too few), and to 56 or more at 0.2."""
    frame = join_named(
        ("a", {"residual": {56: [1.0]}}, build_config_columns(**{"optim.lr": 0.1})),
        ("a", {"residual": {110: [0.5]}}, build_config_columns(WARMUP, **{"optim.lr": 0.1})),
        (
            "b",
            {"residual": {56: [1.0], 110: [0.5]}},
            build_config_columns(WARMUP, **{"optim.lr": 0.2}),
        ),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["a:residual-110", "a:residual-56"],
        ["b:residual-110", "b:residual-56"],
    ]
    assert "config.schedule.warmup.lr" in find_varying_keys(
        frame.runs
    )  # so no comparison takes the rate for the only difference


def test_warmup_at_one_rate_only_is_no_rate_comparison():
    frame = join_named(
        ("a", {"residual": {20: [1.0], 110: [1.0]}}, build_config_columns(**{"optim.lr": 0.1})),
        ("b", {"residual": {20: [1.0]}}, build_config_columns(**{"optim.lr": 0.2})),
        ("b", {"residual": {110: [0.5]}}, build_config_columns(WARMUP, **{"optim.lr": 0.2})),
    )
    assert_no_seed_is_repeated(frame)
    assert list_networks(frame) == [
        ["a:residual-110", "a:residual-20"],
        ["b:residual-110", "b:residual-20"],
    ]
    assert "config.schedule.warmup.lr" in find_varying_keys(frame.runs)


def test_constructed_network_has_no_warmup_at_any_depth():
    """It has no shortcut either, and belongs to the conditions with and without a warm-up."""
    frame = join_named(
        ("short", {"plain": {20: [1.0]}}, build_config_columns()),
        ("warm", {"plain": {110: [60.0]}}, build_config_columns(WARMUP)),
        ("grown", {"constructed": {110: [1.0]}}, build_config_columns()),
    )
    assert find_varying_keys(frame.runs) == []
    cold = join_named(
        ("short", {"plain": {20: [1.0]}}, build_config_columns()),
        ("cold", {"plain": {110: [60.0]}}, build_config_columns()),
        ("warm", {"plain": {110: [60.0]}}, build_config_columns(WARMUP)),
        ("grown", {"constructed": {110: [1.0]}}, build_config_columns()),
    )
    assert_no_seed_is_repeated(cold)
    assert list_networks(cold) == [
        ["grown:constructed-110", "short:plain-20", "warm:plain-110"],
        ["cold:plain-110", "grown:constructed-110", "short:plain-20"],
    ]
