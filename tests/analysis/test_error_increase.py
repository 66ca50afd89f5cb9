"""The increase of the error over the depths that train, and its trend."""

from analysis.claim import Verdict
from analysis.claims import judge
from tests.support.claims import PLAIN, UNTRAINED, judge_by_name, judge_verdicts


def test_three_depths_need_a_trend(build_frame):
    """With two depths and two seeds its p-value cannot fall below 1/6, whatever the runs are."""
    three = judge(build_frame({"plain": PLAIN}).runs, 2.0)[0]
    two = judge(build_frame({"plain": {20: [1.5, 1.6], 56: [51.0, 51.2]}}).runs, 2.0)[0]
    assert (three.verdict, two.verdict) == (Verdict.REPRODUCED, Verdict.REPRODUCED)
    assert "trend p = " in three.decisive_line
    assert "trend" not in two.decisive_line
    assert not any("trend" in line for line in two.evidence)


def test_rise_without_a_trend_is_inconclusive(build_frame):
    humped = {20: [1.0, 1.1], 32: [60.0, 61.0], 44: [50.0, 51.0], 56: [8.0, 8.1]}
    assert judge_verdicts(build_frame({"plain": humped}))[0] is Verdict.INCONCLUSIVE


def test_trend_is_that_of_the_training_error(build_frame):
    """The test errors of these frames fall with depth."""
    frame = build_frame({"plain": PLAIN})
    means = frame.runs.groupby("depth")["test/error"].mean()
    assert means.is_monotonic_decreasing
    claim = judge(frame.runs, 2.0)[0]
    trend = "trend over 3 depths, 9 runs: Kendall's tau 0.8"
    assert any(line.startswith(trend) for line in claim.evidence)
    assert claim.verdict is Verdict.REPRODUCED


def test_single_trained_depth_is_inconclusive(build_frame):
    claim = judge(build_frame({"plain": {20: [1.0, 1.1], 110: [89.0, 89.5]}}).runs, 2.0)[0]
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.decisive_line == "fewer than two depths are better than chance"
    assert claim.evidence == []


def test_untrained_plain_network_does_not_count_as_degraded(build_frame):
    plain = {20: PLAIN[20], 56: PLAIN[56], 110: UNTRAINED}
    claim = judge_by_name(build_frame({"plain": plain}))["degradation"]
    assert claim.verdict is Verdict.REPRODUCED
    assert claim.decisive_line.startswith("56 minus 20 layers: +49.73 points, 95 % lower bound +")
    assert (
        "plain-110 is no better than chance: 89.1 % training error, chance is 90.0 %" in claim.notes
    )
    plain = {20: PLAIN[20], 110: UNTRAINED}
    claim = judge_by_name(build_frame({"plain": plain}))["degradation"]
    assert claim.verdict is Verdict.INCONCLUSIVE
