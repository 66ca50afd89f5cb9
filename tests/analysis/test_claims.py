"""Each claim's verdicts, from hand-made frames."""

import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.claims import judge
from analysis.statistics import bonferroni_level, welch_difference

PLAIN = {20: [1.5, 1.7, 1.6], 32: [5.1, 8.3, 6.5], 56: [51.0, 53.0, 50.0]}
RESIDUAL = {20: [0.9, 0.7, 0.8], 32: [0.3, 0.5, 0.4], 56: [0.7, 0.5, 0.4]}


def verdicts(frame, margin=2.0):
    return [claim.verdict for claim in judge(frame.runs, margin)]


def test_the_papers_finding_is_reproduced(frame_of):
    assert verdicts(frame_of({"plain": PLAIN, "residual": RESIDUAL})) == [Verdict.REPRODUCED] * 3


def test_the_trend_is_asked_from_three_depths_on(frame_of):
    """With two depths and two seeds its p cannot fall below 1/6, whatever the runs are."""
    three = judge(frame_of({"plain": PLAIN}).runs, 2.0)[0]
    two = judge(frame_of({"plain": {20: [1.5, 1.6], 56: [51.0, 51.2]}}).runs, 2.0)[0]
    assert (three.verdict, two.verdict) == (Verdict.REPRODUCED, Verdict.REPRODUCED)
    assert "trend p = " in three.decisive
    assert "trend" not in two.decisive
    assert any("p = 0.1" in line for line in two.evidence)


def test_with_the_labels_swapped_nothing_is_reproduced(frame_of):
    swapped = frame_of({"plain": RESIDUAL, "residual": PLAIN})
    assert verdicts(swapped) == [Verdict.CONTRADICTED] * 3


def test_one_seed_tests_nothing(frame_of):
    one = {
        family: {d: v[:1] for d, v in depths.items()}
        for family, depths in (("plain", PLAIN), ("residual", RESIDUAL))
    }
    claims = judge(frame_of(one).runs, 2.0)
    assert [claim.verdict for claim in claims] == [Verdict.NOT_TESTED] * 3
    assert "one seed" in claims[0].decisive


def test_wide_intervals_are_inconclusive(frame_of):
    noisy = frame_of(
        {"plain": {20: [2.0, 9.0], 56: [5.0, 30.0]}, "residual": {20: [1.0, 8.0], 56: [1.0, 9.0]}}
    )
    assert verdicts(noisy) == [Verdict.INCONCLUSIVE] * 3


def test_a_difference_within_the_margin_contradicts_degradation_and_shows_its_absence(frame_of):
    flat = {20: [1.0, 1.2, 1.1], 56: [1.3, 1.5, 1.4]}
    assert verdicts(frame_of({"plain": flat, "residual": flat})) == [
        Verdict.CONTRADICTED, Verdict.REPRODUCED, Verdict.CONTRADICTED,
    ]  # fmt: skip
    assert (
        verdicts(frame_of({"plain": flat, "residual": flat}), margin=0.1)[0] is Verdict.REPRODUCED
    )


def test_every_deeper_residual_depth_must_hold_not_only_the_deepest(frame_of):
    bump = {20: [0.9, 0.7, 0.8], 32: [9.0, 9.2, 9.1], 56: [0.5, 0.4, 0.6]}
    assert verdicts(frame_of({"plain": PLAIN, "residual": bump}))[1] is Verdict.CONTRADICTED


@pytest.mark.parametrize("state", ["missing", "failed", "running", "partial"])
def test_a_run_without_an_end_leaves_its_claims_untested_and_is_named(frame_of, state):
    """Pitfall 10: a failed run dropped from a mean."""
    frame = frame_of({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[frame.runs["run_id"] == "plain-d56-s1", ["state", "train/clean_error"]] = [
        state,
        float("nan"),
    ]
    claims = judge(frame.runs, 2.0)
    assert [claim.verdict for claim in claims] == [
        Verdict.NOT_TESTED,
        Verdict.REPRODUCED,
        Verdict.NOT_TESTED,
    ]
    assert claims[0].evidence == [f"1 of 9 plain runs is {state}: plain-d56-s1"]


def test_a_diverged_run_counts_at_chance_and_is_told(frame_of):
    """Pitfall 10: a diverged run dropped from a mean, which flatters."""
    frame = frame_of({"plain": PLAIN, "residual": {**RESIDUAL, 56: [0.7, 0.5, 90.0]}})
    frame.runs.loc[frame.runs["run_id"] == "residual-d56-s2", "state"] = "diverged"
    claims = judge(frame.runs, 2.0)
    assert (
        claims[1].verdict is Verdict.INCONCLUSIVE
    )  # with the run left out it would have been reproduced
    assert "1 of 3 runs of residual-56 diverged; a diverged run counts at chance" in claims[1].notes
    assert (
        verdicts(frame_of({"plain": PLAIN, "residual": {**RESIDUAL, 56: [0.7, 0.5]}}))[1]
        is Verdict.REPRODUCED
    )


def test_an_untrained_plain_net_is_told_apart_from_degradation(frame_of):
    untrained = {20: PLAIN[20], 56: PLAIN[56], 110: [89.0, 88.5, 89.9]}
    residual = {**RESIDUAL, 110: [0.5, 0.4, 0.6]}
    claims = judge(frame_of({"plain": untrained, "residual": residual}).runs, 2.0)
    assert claims[0].verdict is Verdict.REPRODUCED
    assert claims[0].decisive.startswith("56 minus 20 layers: +49.73 points, 95 % lower bound +")
    assert "plain-110 is untrained: 89.1 %, within 2 points of chance" in claims[0].notes
    only = {20: PLAIN[20], 110: [89.0, 88.5, 89.9]}
    assert (
        judge(frame_of({"plain": only, "residual": residual}).runs, 2.0)[0].verdict
        is Verdict.INCONCLUSIVE
    )


def test_an_untrained_residual_net_contradicts_no_degradation(frame_of):
    frame = frame_of({"plain": PLAIN, "residual": {**RESIDUAL, 110: [89.0, 88.0, 89.5]}})
    assert verdicts(frame)[1] is Verdict.CONTRADICTED


def test_beside_an_untrained_shallow_net_nothing_is_flat_or_worse(frame_of):
    """Deeper nets that train, or that do not either, say nothing about depth then."""
    for deeper in ([0.7, 0.5, 0.4], [89.0, 88.9, 89.1], [89.9, 89.9, 89.9]):
        residual = {20: [88.5, 88.6, 88.4], 56: deeper}
        assert (
            verdicts(frame_of({"plain": PLAIN, "residual": residual}), margin=1.0)[1]
            is Verdict.INCONCLUSIVE
        )


def test_a_family_or_a_depth_alone_tests_nothing(frame_of):
    assert verdicts(frame_of({"plain": PLAIN})) == [
        Verdict.REPRODUCED,
        Verdict.NOT_TESTED,
        Verdict.NOT_TESTED,
    ]
    assert (
        verdicts(frame_of({"plain": {20: PLAIN[20]}, "residual": {20: RESIDUAL[20]}}))[:2]
        == [Verdict.NOT_TESTED] * 2
    )


def test_classes_of_device_are_not_mixed_in_silence(frame_of):
    frame = frame_of({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[0, "device"] = "cuda: NVIDIA"
    assert any(
        "different types of device: cpu, cuda" in line for line in judge(frame.runs, 2.0)[0].notes
    )


def test_what_is_not_tested_says_why_in_its_line(frame_of):
    """The line that a terminal shows is the first reason, whichever claim it is."""
    one = {family: {20: [1.0], 56: [2.0]} for family in ("plain", "residual")}
    claims = judge(frame_of(one).runs, 2.0)
    assert [claim.verdict for claim in claims] == [Verdict.NOT_TESTED] * 3
    for claim in claims:
        assert claim.decisive == claim.evidence[0]
        assert "have one seed; an interval needs two" in claim.decisive


def test_one_trained_depth_is_inconclusive_without_evidence(frame_of):
    claim = judge(frame_of({"plain": {20: [1.0, 1.1], 110: [89.0, 89.5]}}).runs, 2.0)[0]
    assert (claim.verdict, claim.decisive, claim.evidence) == (
        Verdict.INCONCLUSIVE, "fewer than two depths trained at all", [],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("missing", "line"), [(3, "s0, {0}1, {0}2"), (5, "s0, {0}1, {0}2 and 2 more")]
)
def test_more_than_three_missing_runs_are_counted(frame_of, missing, line):
    frame = frame_of({"plain": {20: [1.0] * 5, 56: [50.0] * 5}})
    frame.runs.loc[
        frame.runs["run_id"].isin([f"plain-d56-s{seed}" for seed in range(missing)]), "state"
    ] = "missing"
    named = "plain-d56-" + line.format("plain-d56-s")
    assert judge(frame.runs, 2.0)[0].decisive == f"{missing} of 10 plain runs are missing: {named}"


def test_numbers_of_threads_are_not_mixed_in_silence(frame_of):
    frame = frame_of({"plain": PLAIN, "residual": RESIDUAL})
    assert not any("threads" in note for claim in judge(frame.runs, 2.0) for note in claim.notes)
    frame.runs.loc[0, "threads"] = "1 + 2"  # resumed with another number
    note = "the runs were trained with different numbers of CPU threads, which changes rounding: 1, 1 + 2"
    assert note in judge(frame.runs, 2.0)[0].notes
    frame.runs["device"] = "cuda: NVIDIA"
    assert not any("threads" in note for claim in judge(frame.runs, 2.0) for note in claim.notes)


def test_a_rising_mean_without_a_trend_is_not_enough(frame_of):
    humped = frame_of(
        {"plain": {20: [1.0, 1.1], 32: [60.0, 61.0], 44: [50.0, 51.0], 56: [8.0, 8.1]}}
    )
    assert isinstance(humped.runs, pd.DataFrame)
    assert verdicts(humped)[0] is Verdict.INCONCLUSIVE


# what each claim rests on in these runs: the difference, and whether it must be above the margin or below it
BUMP = {20: RESIDUAL[20], 32: [2.1, 3.4, 2.6], 56: RESIDUAL[56]}
RESTS_ON = {
    "degradation": (welch_difference(PLAIN[56], PLAIN[20]), "above"),
    "no degradation": (welch_difference(BUMP[32], BUMP[20]), "below"),
    "the fix": (welch_difference(PLAIN[56], BUMP[56]), "above"),
}


def claim_at(frame_of, name, margin):
    frame = frame_of({"plain": PLAIN, "residual": BUMP})
    return {claim.name: claim for claim in judge(frame.runs, margin)}[name]


@pytest.mark.parametrize("name", RESTS_ON)
@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_each_claim_is_reproduced_up_to_its_bound(frame_of, name, beyond):
    difference, asked = RESTS_ON[name]
    inside = (beyond < 0) == (asked == "above")
    side, value = ("lower", difference.lower) if asked == "above" else ("upper", difference.upper)
    claim = claim_at(frame_of, name, value + beyond)
    assert claim.verdict is (Verdict.REPRODUCED if inside else Verdict.INCONCLUSIVE)
    assert f"{difference.mean:+.2f} points, 95 % {side} bound {value:+.2f}" in claim.decisive


@pytest.mark.parametrize("name", RESTS_ON)
@pytest.mark.parametrize("beyond", [-1e-6, 1e-6])
def test_each_claim_is_contradicted_from_its_bound_on(frame_of, name, beyond):
    """Degradation and the fix rest on one difference; no degradation on the worse of two, which pays for both."""
    difference, asked = RESTS_ON[name]
    value = difference.upper if asked == "above" else difference.lower_at(bonferroni_level(2))
    outside = (beyond > 0) == (asked == "above")
    claim = claim_at(frame_of, name, value + beyond)
    assert claim.verdict is (Verdict.CONTRADICTED if outside else Verdict.INCONCLUSIVE)
    if outside:
        shown = (
            f"upper bound {value:+.2f}"
            if asked == "above"
            else f"lower bound (Holm, 2 together) {value:+.2f}"
        )
        assert shown in claim.decisive


def test_a_rise_within_the_margin_does_not_contradict_no_degradation(frame_of):
    """The lower bound is above 0, so the rise is real; it is below the margin, so it is not what is claimed."""
    raised = {20: [1.0, 1.1, 0.9], 56: [2.0, 2.1, 1.9]}
    assert welch_difference(raised[56], raised[20]).lower > 0.5
    assert verdicts(frame_of({"plain": PLAIN, "residual": raised}))[1] is Verdict.REPRODUCED
    assert (
        verdicts(frame_of({"plain": PLAIN, "residual": raised}), margin=1.0)[1]
        is Verdict.INCONCLUSIVE
    )


def test_a_fix_within_the_margin_is_none(frame_of):
    both = {"plain": {20: [1.0, 1.1, 0.9]}, "residual": {20: [0.1, 0.2, 0.0]}}
    assert welch_difference(both["plain"][20], both["residual"][20]).lower > 0.5
    assert verdicts(frame_of(both))[2] is Verdict.CONTRADICTED
    assert verdicts(frame_of(both), margin=0.9)[2] is Verdict.INCONCLUSIVE


def test_the_trend_is_that_of_the_training_error(frame_of):
    """The hand-made test errors fall with depth."""
    frame = frame_of({"plain": PLAIN})
    means = frame.runs.groupby("depth")["test/error"].mean()
    assert means.is_monotonic_decreasing
    claim = judge(frame.runs, 2.0)[0]
    assert any(
        line.startswith("trend over 3 depths, 9 runs: Kendall's tau 0.8") for line in claim.evidence
    )
    assert claim.verdict is Verdict.REPRODUCED


def test_the_fix_is_judged_at_the_deepest_plain_net_that_trains(frame_of):
    plain = {20: [30.0, 31.0, 30.5], 56: [40.0, 41.0, 40.5], 110: [89.0, 88.5, 89.5]}
    residual = {depth: [0.1, 0.2, 0.3] for depth in plain}
    claim = judge(frame_of({"plain": plain, "residual": residual}).runs, 2.0)[2]
    assert claim.decisive.startswith("plain minus residual, 56 layers: +40.30 points")
    assert claim.evidence[2].endswith("; this plain net is untrained")
    assert len(claim.evidence) == 3


def test_two_finished_runs_of_one_seed_leave_their_claims_untested(frame_of):
    """Such as runs with and without a warm-up: a mean over both would be of no experiment."""
    frame = frame_of({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[frame.runs["run_id"] == "residual-d56-s2", "seed"] = 1
    claims = judge(frame.runs, 2.0)
    assert [claim.verdict for claim in claims] == [
        Verdict.REPRODUCED,
        Verdict.NOT_TESTED,
        Verdict.NOT_TESTED,
    ]
    assert (
        claims[1].decisive
        == "seed 1 of residual-56 is recorded twice: run ids residual-d56-s1, residual-d56-s2"
    )


def test_equal_errors_are_known_to_their_step_only(frame_of):
    """Exactly 2 points apart: without the step the bound would be exact, and the verdict too."""
    errors = {"plain": {20: [1.0] * 3, 56: [3.0] * 3}}
    assert verdicts(frame_of(errors), margin=1.99)[0] is Verdict.REPRODUCED
    assert verdicts(frame_of(errors, error_step=1 / 15), margin=1.99)[0] is Verdict.INCONCLUSIVE
    assert verdicts(frame_of(errors, error_step=1 / 15), margin=1.95)[0] is Verdict.REPRODUCED


def test_bounds_by_seed_stand_beside_welchs(frame_of):
    """Depths of one family and families at one depth; the verdict rests on Welch's."""
    claims = judge(frame_of({"plain": PLAIN, "residual": RESIDUAL}).runs, 2.0)
    for claim in claims:
        lines = [line for line in claim.evidence if "minus" in line]
        assert lines
        assert all("; paired by seed: one-sided 95 % bounds" in line for line in lines)
        assert "paired" not in claim.decisive
    fewer = {**RESIDUAL, 56: RESIDUAL[56][:2]}
    assert (
        "paired"
        not in judge(frame_of({"plain": PLAIN, "residual": fewer}).runs, 2.0)[2].evidence[-1]
    )
