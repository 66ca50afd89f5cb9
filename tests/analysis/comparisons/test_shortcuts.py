"""Projections are not essential: options differ by less than half of the gap to plain."""

import pytest

from analysis.claim import Verdict
from analysis.multiple_testing import bonferroni_level
from analysis.statistics import welch_difference
from tests.support.comparisons import LOW, PLAIN, judge_comparisons


def shortcut(option):
    return {"config.model.shortcut": option}


@pytest.mark.parametrize(
    ("b", "verdict"),
    [
        ({20: [0.8, 0.9, 0.7], 56: [0.6, 0.4, 0.5]}, Verdict.REPRODUCED),
        ({20: [0.8, 0.9, 0.7], 56: [45.0, 46.0, 45.5]}, Verdict.CONTRADICTED),
        ({20: [0.8, 0.9, 0.7], 56: [5.0, 30.0, 45.0]}, Verdict.INCONCLUSIVE),
        ({20: [0.8], 56: [0.6]}, Verdict.NOT_TESTED),
    ],
)
def test_projections_have_every_verdict(joined, b, verdict):
    frame = joined(
        ({"plain": PLAIN}, shortcut("none")),
        ({"residual": LOW}, shortcut("A")),
        ({"residual": b}, shortcut("B")),
        ({"residual": LOW}, shortcut("C")),
    )
    claim = judge_comparisons(frame)["projections"]
    assert claim.verdict is verdict
    if verdict is Verdict.REPRODUCED:
        assert claim.decisive_line.startswith("56 layers: ")


def test_without_degradation_projections_are_not_reproduced(joined):
    """There is no gap to compare the options with."""
    frame = joined(
        ({"plain": LOW}, shortcut("none")),
        ({"residual": LOW}, shortcut("A")),
        ({"residual": LOW}, shortcut("B")),
        ({"residual": LOW}, shortcut("C")),
    )
    assert judge_comparisons(frame)["projections"].verdict is not Verdict.REPRODUCED


def test_claim_about_three_shortcuts_needs_all_of_them(joined):
    """C alone could differ."""
    frame = joined(
        ({"plain": PLAIN}, shortcut("none")),
        ({"residual": LOW}, shortcut("A")),
        ({"residual": LOW}, shortcut("B")),
    )
    claim = judge_comparisons(frame)["projections"]
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive_line == "needs shortcuts A, B and C, has A and B"


OPTIONS = {"A": [1.0, 1.3, 1.1], "B": [9.2, 9.6, 9.1], "C": [2.0, 2.2, 1.9]}


@pytest.mark.parametrize("offset", [-1e-6, 1e-6])
def test_projections_are_judged_at_their_bounds(joined, offset):
    """The plain runs are shifted until a bound of the gap is twice that of the worst difference.

    The worst difference is B minus A.
    """
    worst = welch_difference(OPTIONS["B"], OPTIONS["A"])
    gap = welch_difference(PLAIN[56], OPTIONS["A"])
    options = [({"residual": {56: errors}}, shortcut(name)) for name, errors in OPTIONS.items()]

    def judge(shift):
        plain = {"plain": {56: [error + shift for error in PLAIN[56]]}}
        claim = judge_comparisons(joined((plain, shortcut("none")), *options))["projections"]
        return claim.verdict, claim.decisive_line

    verdict, line = judge(2 * worst.high - gap.low + offset)
    assert verdict is (Verdict.REPRODUCED if offset > 0 else Verdict.INCONCLUSIVE)
    assert line.startswith(
        f"56 layers: options differ by at most {worst.high:.2f} points (A minus B)"
    )
    level = bonferroni_level(7)  # two bounds for each of three differences, and that of the gap
    least = worst.lower_at(level)
    verdict, line = judge(2 * least - gap.upper_at(level) + offset)
    assert verdict is (Verdict.CONTRADICTED if offset < 0 else Verdict.INCONCLUSIVE)
    if offset < 0:
        assert f"options differ by at least {least:.2f} points (A minus B)" in line
        assert line.endswith("(7 bounds, jointly 95 %)")


def test_gap_within_the_margin_is_inconclusive(joined):
    options = [({"residual": {56: [1.0, 1.0, 1.0]}}, shortcut(option)) for option in "ABC"]
    frame = joined(({"plain": {56: [3.0, 3.0, 3.0]}}, shortcut("none")), *options)
    assert judge_comparisons(frame, margin=1.9)["projections"].verdict is Verdict.REPRODUCED
    assert judge_comparisons(frame, margin=2.1)["projections"].verdict is Verdict.INCONCLUSIVE
