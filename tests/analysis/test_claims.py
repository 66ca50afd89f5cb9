"""The verdicts of each claim on runs made by hand."""

import pytest

from analysis.claim import Verdict
from analysis.claims import CLAIMS, judge
from analysis.family_pairs import FamilyPair, family_pair
from analysis.multiple_testing import bonferroni_level
from analysis.statistics import welch_difference

PLAIN = {20: [1.5, 1.7, 1.6], 32: [5.1, 8.3, 6.5], 56: [51.0, 53.0, 50.0]}
RESIDUAL = {20: [0.9, 0.7, 0.8], 32: [0.3, 0.5, 0.4], 56: [0.7, 0.5, 0.4]}
UNTRAINED = [89.0, 88.5, 89.9]  # within 2 points of chance, which is 90


def verdicts(frame, margin=2.0):
    return [claim.verdict for claim in judge(frame.runs, margin)]


def judge_by_name(frame, margin=2.0):
    return {claim.name: claim for claim in judge(frame.runs, margin)}


def set_state(frame, run_id, state):
    """Give a run this state; if it is unfinished, it has no error."""
    is_run = frame.runs["run_id"] == run_id
    frame.runs.loc[is_run, "state"] = state
    if state != "diverged":
        frame.runs.loc[is_run, "train/clean_error"] = float("nan")


def test_claims_are_in_the_order_of_the_report(build_frame):
    claims = judge(build_frame({"plain": PLAIN, "residual": RESIDUAL}).runs, 2.0)
    assert len(claims) == len(CLAIMS)
    assert [claim.name for claim in claims] == ["degradation", "no degradation", "the fix"]


@pytest.mark.parametrize(
    ("family", "pair"),
    [
        ("plain", FamilyPair("plain", "residual")),
        ("residual", FamilyPair("plain", "residual")),
        ("preactivation", FamilyPair("plain-preactivation", "preactivation")),
        ("plain-preactivation", FamilyPair("plain-preactivation", "preactivation")),
    ],
)
def test_runs_belong_to_a_pair_of_families(build_frame, family, pair):
    assert family_pair(build_frame({family: {20: [1.0]}}).runs) == pair


def test_finding_of_the_paper_is_reproduced(build_frame):
    assert verdicts(build_frame({"plain": PLAIN, "residual": RESIDUAL})) == [Verdict.REPRODUCED] * 3


def test_exchanged_families_contradict_every_claim(build_frame):
    exchanged = build_frame({"plain": RESIDUAL, "residual": PLAIN})
    assert verdicts(exchanged) == [Verdict.CONTRADICTED] * 3


def test_wide_intervals_are_inconclusive(build_frame):
    plain = {20: [2.0, 9.0], 56: [5.0, 30.0]}
    residual = {20: [1.0, 8.0], 56: [1.0, 9.0]}
    assert (
        verdicts(build_frame({"plain": plain, "residual": residual})) == [Verdict.INCONCLUSIVE] * 3
    )


def test_difference_within_the_margin_shows_absence(build_frame):
    """It contradicts degradation and the fix, and reproduces no degradation."""
    flat = {20: [1.0, 1.2, 1.1], 56: [1.3, 1.5, 1.4]}
    frame = build_frame({"plain": flat, "residual": flat})
    assert verdicts(frame) == [Verdict.CONTRADICTED, Verdict.REPRODUCED, Verdict.CONTRADICTED]
    assert verdicts(frame, margin=0.1)[0] is Verdict.REPRODUCED


# Requirements


def test_single_seeds_test_nothing(build_frame):
    families = {"plain": {20: [1.0], 56: [2.0]}, "residual": {20: [1.0], 56: [2.0]}}
    claims = judge(build_frame(families).runs, 2.0)
    assert [claim.verdict for claim in claims] == [Verdict.NOT_TESTED] * 3
    for claim in claims:
        assert claim.decisive_line == claim.evidence[0]
        assert "have one seed; an interval needs two" in claim.decisive_line


def test_single_family_tests_only_its_own_claim(build_frame):
    not_tested = [Verdict.NOT_TESTED] * 2
    assert verdicts(build_frame({"plain": PLAIN})) == [Verdict.REPRODUCED, *not_tested]


def test_single_depth_tests_no_trend_over_depth(build_frame):
    frame = build_frame({"plain": {20: PLAIN[20]}, "residual": {20: RESIDUAL[20]}})
    assert verdicts(frame)[:2] == [Verdict.NOT_TESTED] * 2


@pytest.mark.parametrize(
    ("state", "verb"),
    [("missing", "is"), ("failed", "has"), ("running", "is"), ("partial", "is")],
)
def test_unfinished_run_leaves_its_claims_untested(build_frame, state, verb):
    """Pitfall 10: a failed run dropped from a mean."""
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    set_state(frame, "plain-d56-s1", state)
    claims = judge(frame.runs, 2.0)
    assert [claim.verdict for claim in claims] == [
        Verdict.NOT_TESTED,
        Verdict.REPRODUCED,
        Verdict.NOT_TESTED,
    ]
    assert claims[0].evidence == [f"1 of 9 plain runs {verb} {state}: plain-d56-s1"]


@pytest.mark.parametrize(
    ("missing", "run_ids"), [(3, "s0, {0}1, {0}2"), (5, "s0, {0}1, {0}2 and 2 more")]
)
def test_missing_runs_beyond_three_are_counted(build_frame, missing, run_ids):
    frame = build_frame({"plain": {20: [1.0] * 5, 56: [50.0] * 5}})
    for seed in range(missing):
        set_state(frame, f"plain-d56-s{seed}", "missing")
    expected = "plain-d56-" + run_ids.format("plain-d56-s")
    claim = judge(frame.runs, 2.0)[0]
    assert claim.decisive_line == f"{missing} of 10 plain runs are missing: {expected}"


def test_repeated_seed_leaves_its_claims_untested(build_frame):
    """For example runs with and without a warm-up: their mean would describe neither."""
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[frame.runs["run_id"] == "residual-d56-s2", "seed"] = 1
    claims = judge(frame.runs, 2.0)
    assert [claim.verdict for claim in claims] == [
        Verdict.REPRODUCED,
        Verdict.NOT_TESTED,
        Verdict.NOT_TESTED,
    ]
    run_ids = "residual-d56-s1, residual-d56-s2"
    assert claims[1].decisive_line == f"seed 1 of residual-56 is recorded twice: run ids {run_ids}"


# Diverged and untrained runs


def test_diverged_run_counts_at_chance_and_is_noted(build_frame):
    """Pitfall 10: a diverged run dropped from a mean, which flatters."""
    frame = build_frame({"plain": PLAIN, "residual": {**RESIDUAL, 56: [0.7, 0.5, 90.0]}})
    set_state(frame, "residual-d56-s2", "diverged")
    claim = judge_by_name(frame)["no degradation"]
    assert claim.verdict is Verdict.INCONCLUSIVE
    note = "1 of 3 runs of residual-56 diverged; a diverged run counts as chance error"
    assert note in claim.notes
    without = build_frame({"plain": PLAIN, "residual": {**RESIDUAL, 56: [0.7, 0.5]}})
    assert judge_by_name(without)["no degradation"].verdict is Verdict.REPRODUCED


def test_untrained_plain_network_does_not_count_as_degraded(build_frame):
    plain = {20: PLAIN[20], 56: PLAIN[56], 110: UNTRAINED}
    claim = judge_by_name(build_frame({"plain": plain}))["degradation"]
    assert claim.verdict is Verdict.REPRODUCED
    assert claim.decisive_line.startswith("56 minus 20 layers: +49.73 points, 95 % lower bound +")
    assert "plain-110 is untrained: 89.1 %, within 2 points of chance" in claim.notes
    plain = {20: PLAIN[20], 110: UNTRAINED}
    claim = judge_by_name(build_frame({"plain": plain}))["degradation"]
    assert claim.verdict is Verdict.INCONCLUSIVE


def test_untrained_residual_network_contradicts_no_degradation(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": {**RESIDUAL, 110: [89.0, 88.0, 89.5]}})
    assert judge_by_name(frame)["no degradation"].verdict is Verdict.CONTRADICTED


@pytest.mark.parametrize("deeper", [[0.7, 0.5, 0.4], [89.0, 88.9, 89.1], [89.9, 89.9, 89.9]])
def test_untrained_shallowest_network_is_inconclusive(build_frame, deeper):
    """Then the deeper networks say nothing about depth, whether they train or not."""
    residual = {20: [88.5, 88.6, 88.4], 56: deeper}
    frame = build_frame({"plain": PLAIN, "residual": residual})
    assert judge_by_name(frame, margin=1.0)["no degradation"].verdict is Verdict.INCONCLUSIVE


def test_single_trained_depth_is_inconclusive(build_frame):
    claim = judge(build_frame({"plain": {20: [1.0, 1.1], 110: [89.0, 89.5]}}).runs, 2.0)[0]
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.decisive_line == "fewer than two depths have trained networks"
    assert claim.evidence == []


def test_fix_is_judged_at_the_deepest_trained_plain_network(build_frame):
    plain = {20: [30.0, 31.0, 30.5], 56: [40.0, 41.0, 40.5], 110: [89.0, 88.5, 89.5]}
    residual = {depth: [0.1, 0.2, 0.3] for depth in plain}
    claim = judge_by_name(build_frame({"plain": plain, "residual": residual}))["the fix"]
    assert claim.decisive_line.startswith("plain minus residual, 56 layers: +40.30 points")
    assert claim.evidence[2].endswith("; this plain network is untrained")
    assert len(claim.evidence) == 3


# Caveats


def test_mixed_device_types_are_noted(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[0, "device"] = "cuda: NVIDIA"
    note = "the runs were trained on different types of device: cpu, cuda"
    assert note in judge(frame.runs, 2.0)[0].notes


def test_mixed_numbers_of_threads_are_noted(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    assert not any("threads" in note for claim in judge(frame.runs, 2.0) for note in claim.notes)
    frame.runs.loc[0, "threads"] = "1 + 2"  # resumed with another number
    note = (
        "the runs were trained with different numbers of CPU threads, which changes rounding:"
        " 1, 1 + 2"
    )
    assert note in judge(frame.runs, 2.0)[0].notes
    frame.runs["device"] = "cuda: NVIDIA"
    assert not any("threads" in note for claim in judge(frame.runs, 2.0) for note in claim.notes)


# Bounds and margins

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
    assert verdicts(frame)[1] is Verdict.REPRODUCED
    assert verdicts(frame, margin=1.0)[1] is Verdict.INCONCLUSIVE


def test_fix_within_the_margin_is_contradicted(build_frame):
    families = {"plain": {20: [1.0, 1.1, 0.9]}, "residual": {20: [0.1, 0.2, 0.0]}}
    assert welch_difference(families["plain"][20], families["residual"][20]).lower > 0.5
    assert verdicts(build_frame(families))[2] is Verdict.CONTRADICTED
    assert verdicts(build_frame(families), margin=0.9)[2] is Verdict.INCONCLUSIVE


def test_equal_errors_are_known_to_their_step(build_frame):
    """The depths are exactly 2 points apart; without the step the bound would be exact too."""
    errors = {"plain": {20: [1.0] * 3, 56: [3.0] * 3}}
    assert verdicts(build_frame(errors), margin=1.99)[0] is Verdict.REPRODUCED
    assert verdicts(build_frame(errors, error_step=1 / 15), margin=1.99)[0] is Verdict.INCONCLUSIVE
    assert verdicts(build_frame(errors, error_step=1 / 15), margin=1.95)[0] is Verdict.REPRODUCED


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


# The trend


def test_three_depths_need_a_trend(build_frame):
    """With two depths and two seeds its p-value cannot fall below 1/6, whatever the runs are."""
    three = judge(build_frame({"plain": PLAIN}).runs, 2.0)[0]
    two = judge(build_frame({"plain": {20: [1.5, 1.6], 56: [51.0, 51.2]}}).runs, 2.0)[0]
    assert (three.verdict, two.verdict) == (Verdict.REPRODUCED, Verdict.REPRODUCED)
    assert "trend p = " in three.decisive_line
    assert "trend" not in two.decisive_line
    assert any("p = 0.1" in line for line in two.evidence)


def test_rise_without_a_trend_is_inconclusive(build_frame):
    humped = {20: [1.0, 1.1], 32: [60.0, 61.0], 44: [50.0, 51.0], 56: [8.0, 8.1]}
    assert verdicts(build_frame({"plain": humped}))[0] is Verdict.INCONCLUSIVE


def test_trend_is_that_of_the_training_error(build_frame):
    """The test errors of these frames fall with depth."""
    frame = build_frame({"plain": PLAIN})
    means = frame.runs.groupby("depth")["test/error"].mean()
    assert means.is_monotonic_decreasing
    claim = judge(frame.runs, 2.0)[0]
    trend = "trend over 3 depths, 9 runs: Kendall's tau 0.8"
    assert any(line.startswith(trend) for line in claim.evidence)
    assert claim.verdict is Verdict.REPRODUCED
