"""Each claim is decided by one bound and its margin."""

import pytest

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.multiple_testing import bonferroni_level
from analysis.statistics import welch_difference
from tests.support.claims import PLAIN, RESIDUAL, judge_by_name, judge_verdicts

BUMP = {20: RESIDUAL[20], 32: [2.1, 3.4, 2.6], 56: RESIDUAL[56]}
# claim: the difference that it rests on in these runs, and where that must lie
DECISIVE = {
    "degradation": (welch_difference(PLAIN[56], PLAIN[20]), "above"),
    "no degradation": (welch_difference(BUMP[32], BUMP[20]), "below"),
    "the fix": (welch_difference(PLAIN[56], BUMP[56]), "above"),
}


@pytest.mark.parametrize("name", DECISIVE)
@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_claim_is_reproduced_up_to_its_bound(build_frame, name, beyond):
    difference, relation = DECISIVE[name]
    if relation == "above":
        side, bound, inside = "lower", difference.lower, beyond < 0
    else:
        side, bound, inside = "upper", difference.upper, beyond > 0
    claim = judge_by_name(build_frame({"plain": PLAIN, "residual": BUMP}), bound + beyond)[name]
    assert claim.verdict is (Verdict.REPRODUCED if inside else Verdict.INCONCLUSIVE)
    assert f"{difference.mean:+.2f} points, 95 % {side} bound {bound:+.2f}" in claim.decisive_line


@pytest.mark.parametrize("name", DECISIVE)
@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_claim_is_contradicted_beyond_its_bound(build_frame, name, beyond):
    """Degradation and the fix rest on one difference, no degradation on the worse of two."""
    difference, relation = DECISIVE[name]
    if relation == "above":
        bound, outside = difference.upper, beyond > 0
        text = f"upper bound {bound:+.2f}"
    else:
        bound, outside = difference.lower_at(bonferroni_level(2)), beyond < 0
        text = f"lower bound (Holm, 2 bounds) {bound:+.2f}"
    claim = judge_by_name(build_frame({"plain": PLAIN, "residual": BUMP}), bound + beyond)[name]
    assert claim.verdict is (Verdict.CONTRADICTED if outside else Verdict.INCONCLUSIVE)
    if outside:
        assert text in claim.decisive_line


def test_every_deeper_depth_counts(build_frame):
    bump = {20: [0.9, 0.7, 0.8], 32: [9.0, 9.2, 9.1], 56: [0.5, 0.4, 0.6]}
    claim = judge_by_name(build_frame({"plain": PLAIN, "residual": bump}))["no degradation"]
    assert claim.verdict is Verdict.CONTRADICTED


def test_rise_within_the_margin_is_no_degradation(build_frame):
    """The lower bound is above 0, so the rise is real, but it is smaller than what is claimed."""
    rising = {20: [1.0, 1.1, 0.9], 56: [2.0, 2.1, 1.9]}
    assert welch_difference(rising[56], rising[20]).lower > 0.5
    frame = build_frame({"plain": PLAIN, "residual": rising})
    assert judge_verdicts(frame)[1] is Verdict.REPRODUCED
    assert judge_verdicts(frame, margin=1.0)[1] is Verdict.INCONCLUSIVE


def test_fix_within_the_margin_is_contradicted(build_frame):
    families = {"plain": {20: [1.0, 1.1, 0.9]}, "residual": {20: [0.1, 0.2, 0.0]}}
    assert welch_difference(families["plain"][20], families["residual"][20]).lower > 0.5
    assert judge_verdicts(build_frame(families))[2] is Verdict.CONTRADICTED
    assert judge_verdicts(build_frame(families), margin=0.9)[2] is Verdict.INCONCLUSIVE


def test_equal_errors_are_known_to_their_step(build_frame):
    """The depths are exactly 2 points apart; without the step the bound would be exact too."""
    errors = {"plain": {20: [1.0] * 3, 56: [3.0] * 3}}
    assert judge_verdicts(build_frame(errors), margin=1.99)[0] is Verdict.REPRODUCED
    assert (
        judge_verdicts(build_frame(errors, error_step=1 / 15), margin=1.99)[0]
        is Verdict.INCONCLUSIVE
    )
    assert (
        judge_verdicts(build_frame(errors, error_step=1 / 15), margin=1.95)[0] is Verdict.REPRODUCED
    )


def test_bounds_by_seed_are_evidence_only(build_frame):
    claims = judge(build_frame({"plain": PLAIN, "residual": RESIDUAL}).runs, 2.0)
    for claim in claims:
        comparisons = [line for line in claim.evidence if "minus" in line]
        assert comparisons
        assert all("; paired by seed: one-sided 95 % bounds" in line for line in comparisons)
        assert "paired" not in claim.decisive_line


def test_different_seeds_have_no_bounds_by_seed(build_frame):
    fewer = {**RESIDUAL, 56: RESIDUAL[56][:2]}
    claim = judge_by_name(build_frame({"plain": PLAIN, "residual": fewer}))["the fix"]
    assert "paired" not in claim.evidence[-1]
