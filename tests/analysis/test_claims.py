"""The verdicts of each claim on runs made by hand."""

import pytest

from analysis.claim import Verdict
from analysis.claims import CLAIMS, judge
from tests.support.claims import PLAIN, RESIDUAL, judge_by_name, judge_verdicts


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


def test_finding_of_the_paper_is_reproduced(build_frame):
    assert (
        judge_verdicts(build_frame({"plain": PLAIN, "residual": RESIDUAL}))
        == [Verdict.REPRODUCED] * 3
    )


def test_exchanged_families_contradict_every_claim(build_frame):
    exchanged = build_frame({"plain": RESIDUAL, "residual": PLAIN})
    assert judge_verdicts(exchanged) == [Verdict.CONTRADICTED] * 3


def test_wide_intervals_are_inconclusive(build_frame):
    plain = {20: [2.0, 9.0], 56: [5.0, 30.0]}
    residual = {20: [1.0, 8.0], 56: [1.0, 9.0]}
    assert (
        judge_verdicts(build_frame({"plain": plain, "residual": residual}))
        == [Verdict.INCONCLUSIVE] * 3
    )


def test_difference_within_the_margin_shows_absence(build_frame):
    """It contradicts degradation and the fix, and reproduces no degradation."""
    flat = {20: [1.0, 1.2, 1.1], 56: [1.3, 1.5, 1.4]}
    frame = build_frame({"plain": flat, "residual": flat})
    assert judge_verdicts(frame) == [Verdict.CONTRADICTED, Verdict.REPRODUCED, Verdict.CONTRADICTED]
    assert judge_verdicts(frame, margin=0.1)[0] is Verdict.REPRODUCED


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
    assert judge_verdicts(build_frame({"plain": PLAIN})) == [Verdict.REPRODUCED, *not_tested]


def test_single_depth_tests_no_trend_over_depth(build_frame):
    frame = build_frame({"plain": {20: PLAIN[20]}, "residual": {20: RESIDUAL[20]}})
    assert judge_verdicts(frame)[:2] == [Verdict.NOT_TESTED] * 2


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


def test_untrained_residual_network_contradicts_no_degradation(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": {**RESIDUAL, 110: [89.0, 88.0, 89.5]}})
    assert judge_by_name(frame)["no degradation"].verdict is Verdict.CONTRADICTED


@pytest.mark.parametrize("deeper", [[0.7, 0.5, 0.4], [89.0, 88.9, 89.1], [89.9, 89.9, 89.9]])
def test_untrained_shallowest_network_is_inconclusive(build_frame, deeper):
    """Then the deeper networks say nothing about depth, whether they train or not."""
    residual = {20: [88.5, 88.6, 88.4], 56: deeper}
    frame = build_frame({"plain": PLAIN, "residual": residual})
    assert judge_by_name(frame, margin=1.0)["no degradation"].verdict is Verdict.INCONCLUSIVE


def test_fix_is_judged_at_the_deepest_trained_plain_network(build_frame):
    plain = {20: [30.0, 31.0, 30.5], 56: [40.0, 41.0, 40.5], 110: [89.0, 88.5, 89.5]}
    residual = {depth: [0.1, 0.2, 0.3] for depth in plain}
    claim = judge_by_name(build_frame({"plain": plain, "residual": residual}))["the fix"]
    assert claim.decisive_line.startswith("plain minus residual, 56 layers: +40.30 points")
    assert claim.evidence[2].endswith("; this plain network is no better than chance")
    assert len(claim.evidence) == 3


# Caveats


def test_mixed_device_types_are_noted(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[0, "device"] = "cuda: NVIDIA"
    note = "the runs were trained on different types of device: cpu, cuda"
    assert note in judge(frame.runs, 2.0)[0].notes


def test_device_of_a_resumed_run_counts_by_its_parts(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs["device"] = "cuda: NVIDIA H100 + cuda: NVIDIA A100"
    notes = [note for note in judge(frame.runs, 2.0)[0].notes if "device" in note]
    rounding = "the runs were trained on different devices, which may change rounding: "
    assert notes == [f"{rounding}cuda: NVIDIA A100, cuda: NVIDIA H100"]
    frame.runs.loc[0, "device"] = "cuda: NVIDIA H100 + cpu"
    note = "the runs were trained on different types of device: cpu, cuda"
    assert note in judge(frame.runs, 2.0)[0].notes


def test_devices_of_the_other_family_are_no_caveat(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[frame.runs["family"] == "residual", "device"] = "cuda: NVIDIA"
    degradation, _, fix = judge(frame.runs, 2.0)
    assert not any("device" in note for note in degradation.notes)
    assert any("device" in note for note in fix.notes)


def test_fix_names_a_deeper_network_without_a_partner(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": {20: RESIDUAL[20]}})
    fix = judge_by_name(frame)["the fix"]
    assert "plain minus residual, 20 layers" in fix.decisive_line
    assert (
        "there is no residual network of 56 layers, the deepest at which the plain network is"
        " better than chance: the claim is judged at 20"
    ) in fix.notes


def test_rise_without_a_trend_says_so(build_frame):
    """The deepest network is worse than the shallowest, but better than those between."""
    plain = {20: [1.0, 1.1], 32: [60.0, 61.0], 44: [61.0, 60.0], 56: [8.0, 8.1]}
    claim = judge_by_name(build_frame({"plain": plain, "residual": {}}))["degradation"]
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.remedy.startswith("more depths")


def test_equal_errors_have_no_trend(build_frame):
    depths = {20: [0.0, 0.0], 32: [0.0, 0.0], 56: [0.0, 0.0]}
    claim = judge_by_name(build_frame({"plain": depths, "residual": depths}))["degradation"]
    assert "trend over 3 depths, 6 runs: all errors are equal" in claim.evidence


def test_mixed_numbers_of_threads_are_noted(build_frame):
    frame = build_frame({"plain": PLAIN, "residual": RESIDUAL})
    assert not any("threads" in note for claim in judge(frame.runs, 2.0) for note in claim.notes)
    frame.runs.loc[0, "threads"] = "1 + 2"  # resumed with another number
    note = (
        "the runs were trained with different numbers of CPU threads, which changes rounding: 1, 2"
    )
    assert note in judge(frame.runs, 2.0)[0].notes
    frame.runs["device"] = "cuda: NVIDIA"
    assert not any("threads" in note for claim in judge(frame.runs, 2.0) for note in claim.notes)
