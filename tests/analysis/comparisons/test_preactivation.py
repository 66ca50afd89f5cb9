"""Pre-activation networks are no worse than residual ones."""

import pytest

from analysis.claim import Verdict
from analysis.multiple_testing import bonferroni_level
from analysis.statistics import welch_difference
from tests.support.comparisons import HIGH, LOW, judge_around, judge_comparisons

NOISY = {20: [0.9, 0.7, 0.8], 56: [2.4, 3.9, 3.1]}


def compare_orders(joined, errors):
    return joined(
        ({"residual": LOW}, {"config.model.order": "post"}),
        ({"preactivation": errors}, {"config.model.order": "pre"}),
    )


def test_plain_network_of_either_order_is_one_network(joined):
    """Without shortcuts the order changes nothing but the run ids, so no spread is left."""
    spread = {20: [1.5, 1.7, 1.6], 56: [20.0, 53.0, 80.0]}
    frame = joined(
        ({"plain": spread, "residual": LOW}, {"config.model.order": "post"}),
        ({"plain-preactivation": spread, "preactivation": LOW}, {"config.model.order": "pre"}),
    )
    claims = judge_comparisons(frame)
    assert claims["size of degradation by order"].outcome == "alike"
    assert claims["the fix by order"].outcome == "alike"
    other = spread | {56: [20.0, 53.0, 79.0]}  # another network after all
    frame = joined(
        ({"plain": spread, "residual": LOW}, {"config.model.order": "post"}),
        ({"plain-preactivation": other, "preactivation": LOW}, {"config.model.order": "pre"}),
    )
    assert judge_comparisons(frame)["size of degradation by order"].outcome != "alike"


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [(LOW, Verdict.REPRODUCED), (HIGH, Verdict.CONTRADICTED), ({20: [1.0]}, Verdict.NOT_TESTED)],
)
def test_preactivation_has_every_verdict(joined, errors, verdict):
    assert judge_comparisons(compare_orders(joined, errors))["preactivation"].verdict is verdict


def test_preactivation_is_judged_at_its_bounds(joined):
    frame = compare_orders(joined, NOISY)
    worst = welch_difference(NOISY[56], LOW[56])
    _, line = judge_around(
        frame, "preactivation", worst.upper, Verdict.INCONCLUSIVE, Verdict.REPRODUCED
    )
    bounds = f"{worst.mean:+.2f} points, 95 % upper bound {worst.upper:+.2f}"
    assert line.endswith(f"preactivation minus residual: {bounds}")
    least = worst.lower_at(bonferroni_level(2))
    line, _ = judge_around(
        frame, "preactivation", least, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE
    )
    assert line.endswith(f"points, 95 % lower bound (Holm, 2 bounds) {least:+.2f}")
