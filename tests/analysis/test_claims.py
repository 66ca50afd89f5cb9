"""Each claim's verdicts, from hand-made frames."""

import pandas as pd
import pytest

from analysis.claims import judge
from analysis.evidence import Verdict

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
        family: {d: v[:1] for d, v in depths.items()} for family, depths in (("plain", PLAIN), ("residual", RESIDUAL))
    }
    claims = judge(frame_of(one).runs, 2.0)
    assert [claim.verdict for claim in claims] == [Verdict.NOT_TESTED] * 3
    assert "one seed" in claims[0].decisive


def test_wide_intervals_are_inconclusive(frame_of):
    noisy = frame_of({"plain": {20: [2.0, 9.0], 56: [5.0, 30.0]}, "residual": {20: [1.0, 8.0], 56: [1.0, 9.0]}})
    assert verdicts(noisy) == [Verdict.INCONCLUSIVE] * 3


def test_a_difference_within_the_margin_contradicts_degradation_and_shows_its_absence(frame_of):
    flat = {20: [1.0, 1.2, 1.1], 56: [1.3, 1.5, 1.4]}
    assert verdicts(frame_of({"plain": flat, "residual": flat})) == [
        Verdict.CONTRADICTED, Verdict.REPRODUCED, Verdict.CONTRADICTED,
    ]  # fmt: skip
    assert verdicts(frame_of({"plain": flat, "residual": flat}), margin=0.1)[0] is Verdict.REPRODUCED


def test_every_deeper_residual_depth_must_hold_not_only_the_deepest(frame_of):
    bump = {20: [0.9, 0.7, 0.8], 32: [9.0, 9.2, 9.1], 56: [0.5, 0.4, 0.6]}
    assert verdicts(frame_of({"plain": PLAIN, "residual": bump}))[1] is Verdict.CONTRADICTED


@pytest.mark.parametrize("state", ["missing", "failed", "running", "partial"])
def test_a_run_without_an_end_leaves_its_claims_untested_and_is_named(frame_of, state):
    """Pitfall 10: a failed run dropped from a mean."""
    frame = frame_of({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[frame.runs["run_id"] == "plain-d56-s1", ["state", "train/clean_error"]] = [state, float("nan")]
    claims = judge(frame.runs, 2.0)
    assert [claim.verdict for claim in claims] == [Verdict.NOT_TESTED, Verdict.REPRODUCED, Verdict.NOT_TESTED]
    assert claims[0].evidence == [f"1 of 9 plain runs is {state}: plain-d56-s1"]


def test_a_diverged_run_counts_at_chance_and_is_told(frame_of):
    """Pitfall 10: a diverged run dropped from a mean, which flatters."""
    frame = frame_of({"plain": PLAIN, "residual": {**RESIDUAL, 56: [0.7, 0.5, 90.0]}})
    frame.runs.loc[frame.runs["run_id"] == "residual-d56-s2", "state"] = "diverged"
    claims = judge(frame.runs, 2.0)
    assert claims[1].verdict is Verdict.INCONCLUSIVE  # with the run left out it would have been reproduced
    assert "1 of 3 runs of residual-56 diverged and count at chance" in claims[1].notes
    assert verdicts(frame_of({"plain": PLAIN, "residual": {**RESIDUAL, 56: [0.7, 0.5]}}))[1] is Verdict.REPRODUCED


def test_an_untrained_plain_net_is_told_apart_from_degradation(frame_of):
    untrained = {20: PLAIN[20], 56: PLAIN[56], 110: [89.0, 88.5, 89.9]}
    residual = {**RESIDUAL, 110: [0.5, 0.4, 0.6]}
    claims = judge(frame_of({"plain": untrained, "residual": residual}).runs, 2.0)
    assert claims[0].verdict is Verdict.REPRODUCED
    assert claims[0].decisive.startswith("56 minus 20 layers: +49.73 points, 95 % lower bound +")
    assert "plain-110 is untrained: 89.1 %, within 2 points of chance" in claims[0].notes
    only = {20: PLAIN[20], 110: [89.0, 88.5, 89.9]}
    assert judge(frame_of({"plain": only, "residual": residual}).runs, 2.0)[0].verdict is Verdict.INCONCLUSIVE


def test_an_untrained_residual_net_contradicts_no_degradation(frame_of):
    frame = frame_of({"plain": PLAIN, "residual": {**RESIDUAL, 110: [89.0, 88.0, 89.5]}})
    assert verdicts(frame)[1] is Verdict.CONTRADICTED


def test_a_family_or_a_depth_alone_tests_nothing(frame_of):
    assert verdicts(frame_of({"plain": PLAIN})) == [Verdict.REPRODUCED, Verdict.NOT_TESTED, Verdict.NOT_TESTED]
    assert (
        verdicts(frame_of({"plain": {20: PLAIN[20]}, "residual": {20: RESIDUAL[20]}}))[:2] == [Verdict.NOT_TESTED] * 2
    )


def test_classes_of_device_are_not_mixed_in_silence(frame_of):
    frame = frame_of({"plain": PLAIN, "residual": RESIDUAL})
    frame.runs.loc[0, "device"] = "cuda: NVIDIA"
    assert any("different classes of device: cpu, cuda" in line for line in judge(frame.runs, 2.0)[0].notes)


def test_a_rising_mean_without_a_trend_is_not_enough(frame_of):
    humped = frame_of({"plain": {20: [1.0, 1.1], 32: [60.0, 61.0], 44: [50.0, 51.0], 56: [8.0, 8.1]}})
    assert isinstance(humped.runs, pd.DataFrame)
    assert verdicts(humped)[0] is Verdict.INCONCLUSIVE
