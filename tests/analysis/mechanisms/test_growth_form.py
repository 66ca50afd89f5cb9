"""Are the times exponential in depth, or a power law? Every verdict, by hand."""

import math
import re
from dataclasses import replace

import pytest

from analysis.claim import Verdict
from analysis.mechanisms import convergence
from tests.support.convergence import FLAT, SLOW, explain, runs_and_curves, select_claim


def test_doubling_times_are_exponential():
    times = {
        8: [44, 46, 70],
        20: [60, 90, 95],
        32: [110, 130, 150],
        44: [210, 230, 260],
        56: [350, 390, None],
    }
    claim = select_claim(explain(plain=times), "exponential slowing")
    assert claim.verdict is Verdict.REPRODUCED
    assert "3 of 3 runs reached it" in claim.evidence[-5]
    assert "2 of 3 runs reached it, median 360 to 400 iterations; 1 censored" in claim.evidence[-1]
    assert any("deep networks would look faster" in note for note in claim.notes)


def test_whole_training_and_other_shares_are_evidence():
    """The fit to the whole training uses times after the first drop (200); the verdict does not."""
    claim = select_claim(explain(plain=SLOW), "exponential slowing")
    whole = next(
        line
        for line in claim.evidence
        if line.startswith("whole training, with the learning-rate drops")
    )
    decisive_line = claim.decisive_line.split("power law ")[1].split(" ")[0]
    assert float(whole.rsplit(" ", 1)[1]) != float(decisive_line)
    assert claim.decisive_line.endswith("before the learning rate drops, at 200 iterations")
    shares = [
        line.split(" of ")[0]
        for line in claim.evidence
        if line.startswith("at ") and "chance error" in line
    ]
    assert shares == ["at 3/4", "at 1/4", "at 1/8"]


def test_times_that_decrease_with_depth_contradict():
    falling = {20: [290, 310, 330], 32: [190, 210, 230], 44: [110, 130, 150], 56: [70, 90, 100]}
    assert (
        select_claim(explain(plain=falling), "exponential slowing").verdict is Verdict.CONTRADICTED
    )


def test_power_law_times_contradict():
    times = {}
    for depth in (8, 14, 20, 32, 56, 110):
        median = 11 * depth**0.75
        times[depth] = [0.98 * median, median, 1.02 * median]
    frame = runs_and_curves({"plain": times})
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.milestones": "[]"}))
    claim = select_claim(convergence.build(frame, 2.0), "exponential slowing")
    assert claim.verdict is Verdict.CONTRADICTED
    assert "exponential minus power law -" in claim.decisive_line


def test_growth_after_the_drop_alone_is_inconclusive():
    """Only two depths have times up to iteration 200, and both forms pass through two points."""
    times = {
        20: [60, 70, 90],
        32: [130, 140, 150],
        44: [250, 270, 290],
        56: [None] * 3,
        110: [None] * 3,
    }
    claim = select_claim(explain(plain=times), "exponential slowing")
    assert claim.verdict is Verdict.INCONCLUSIVE


def test_networks_with_learning_rates_of_their_own_are_not_compared():
    """A warm-up that ends by the error delays deep networks, and only those."""
    frame = runs_and_curves({"plain": {20: [60] * 3, 32: [90] * 3, 44: [150] * 3, 110: [300] * 3}})
    warmup = frame.runs["depth"].map(lambda depth: 0.01 if depth == 110 else None)
    keys = {"config.schedule.warmup.lr": warmup, "config.schedule.warmup.below": 8000 * warmup}
    frame = replace(frame, runs=frame.runs.assign(**keys))
    explanation = convergence.build(frame, 2.0)
    claim = select_claim(explanation, "exponential slowing")
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive_line.startswith("3 of 12 runs have a warm-up until a training error")


def test_learning_rates_of_their_own_are_a_note_to_the_comparison_of_families():
    times = {20: [60] * 3, 32: [90] * 3}
    frame = runs_and_curves({"plain": times, "residual": times})
    warmup = frame.runs["depth"].map(lambda depth: 0.01 if depth == 32 else None)
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.warmup.lr": warmup}))
    claim = select_claim(convergence.build(frame, 2.0), "less slowing with shortcuts")
    assert claim.notes[0].startswith("6 of 12 runs have a warm-up, so networks differ in their")


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    "late", [210, None, *[pytest.param(late, marks=pytest.mark.slow) for late in (230, 390)]]
)
def test_times_after_the_drop_do_not_decide(late):
    """It does not matter how the learning-rate drop at 200 changes what comes later."""
    times = {8: [44, 46, 70], 20: [60, 90, 95], 32: [110, 130, 150], 44: [late] * 3, 56: [late] * 3}
    early = select_claim(explain(plain=times), "exponential slowing")
    never = select_claim(
        explain(plain=times | {44: [None] * 3, 56: [None] * 3}), "exponential slowing"
    )
    assert (early.verdict, early.decisive_line) == (never.verdict, never.decisive_line)


def test_weak_design_has_a_note():
    """With five evaluations before the drop, a note says how rarely a form would be preferred."""
    claim = select_claim(explain(plain=SLOW), "exponential slowing")
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.notes[0].startswith("this design cannot reliably distinguish the two forms")
    chances = re.search(r"about (\d+) % and (\d+) %", claim.notes[0])
    assert max(map(int, chances.groups())) < 20
    assert claim.remedy.startswith("more depths, and evaluations at shorter intervals")


def test_strong_design_has_no_note():
    times = {}
    for depth in range(8, 62, 6):
        median = 8 * math.exp(0.0525 * depth)
        times[depth] = [round(0.9 * median), round(median), round(1.1 * median)]
    frame = runs_and_curves({"plain": times}, every=5)
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.milestones": "[]"}))
    claim = select_claim(convergence.build(frame, 2.0), "exponential slowing")
    assert claim.verdict is Verdict.REPRODUCED
    assert not any("cannot reliably distinguish" in note for note in claim.notes)


def test_gradual_changes_of_the_learning_rate_leave_it_untested():
    """Times at different depths do not belong to one learning rate."""
    frame = runs_and_curves({"plain": SLOW})
    columns = {"config.schedule.shape": "cosine", "config.schedule.milestones": "[]"}
    gradual = replace(frame, runs=frame.runs.assign(**columns))
    step, cosine = (
        select_claim(convergence.build(each, 2.0), "exponential slowing")
        for each in (frame, gradual)
    )
    assert step.verdict is not Verdict.NOT_TESTED
    assert cosine.verdict is Verdict.NOT_TESTED
    assert "changes in every iteration (cosine schedule)" in cosine.decisive_line


def test_flat_times_are_inconclusive():
    assert select_claim(explain(plain=FLAT), "exponential slowing").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "times",
    [
        {20: [60], 32: [130], 44: [210]},
        {20: [60, 70], 32: [130, 140]},
        {d: [None] * 2 for d in (20, 32, 44)},
    ],
)
def test_too_few_seeds_depths_or_times_are_not_tested(times):
    assert select_claim(explain(plain=times), "exponential slowing").verdict is Verdict.NOT_TESTED
