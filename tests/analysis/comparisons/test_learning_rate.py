"""Each network is judged at its own best learning rate."""

import pytest

from analysis.claim import Verdict
from analysis.claims import judge_no_degradation
from analysis.comparisons.learning_rate import select_best_rates
from analysis.statistics import difference_of_minima, welch_difference
from tests.support.comparisons import HIGH, LOW, PLAIN, judge_around, judge_comparisons

BOTH = {"plain": PLAIN, "residual": LOW}


def join_rates(joined, errors_by_rate):
    """Return one frame of {learning rate: errors by family and depth}."""
    conditions = [(errors, {"config.optim.lr": lr}) for lr, errors in errors_by_rate.items()]
    return joined(*conditions)


def collect_verdicts(frame):
    """Return the verdicts of the claims about each network's best rate."""
    claims = judge_comparisons(frame)
    return {claim.verdict for name, claim in claims.items() if name.endswith("best learning rates")}


def test_each_network_is_judged_at_its_own_best_rate(joined):
    """Plain-56 is best at 0.01; plain-20 and the residual networks are best at 0.1."""
    low_rate = {"plain": {20: [3.0, 3.1, 3.2], 56: [50.0, 51.0, 52.0]}, "residual": HIGH}
    high_rate = {"plain": {20: [1.0, 1.1, 1.2], 56: [88.0, 89.0, 88.5]}, "residual": LOW}
    frame = join_rates(joined, {0.01: low_rate, 0.1: high_rate})
    best, notes = select_best_rates(frame.runs)
    assert notes[0].endswith("plain-20 0.1, plain-56 0.01, residual-20 0.1, residual-56 0.1")
    assert len(best) == 12
    claims = judge_comparisons(frame)
    assert collect_verdicts(frame) == {Verdict.REPRODUCED}
    assert claims["degradation, best learning rates"].decisive_line.startswith(
        "56 minus 20 layers: +49.90 points"
    )
    fix = claims["the fix, best learning rates"]
    assert any(line.startswith("lr 0.01, the fix: ") for line in fix.evidence)
    assert any("best learning rates by the means of the same runs" in note for note in fix.notes)


def test_missing_runs_leave_the_best_rate_unknown(joined):
    frame = join_rates(joined, {0.01: BOTH, 0.1: BOTH})
    assert collect_verdicts(frame) == {Verdict.REPRODUCED}
    notes = judge_comparisons(frame)["the fix, best learning rates"].notes
    at_edge = "the best learning rate is the lowest or highest that was tried"
    assert any(note.startswith(at_edge) for note in notes)
    frame.runs.loc[frame.runs["config.optim.lr"] == 0.1, "state"] = "missing"
    claim = judge_comparisons(frame)["the fix, best learning rates"]
    assert collect_verdicts(frame) == {Verdict.NOT_TESTED}
    assert claim.decisive_line == "12 of 24 runs are missing, so the best learning rate is unknown"
    # the verdicts at each rate are evidence of one claim only
    others = judge_comparisons(frame)["degradation, best learning rates"].evidence
    assert any(line.startswith("lr 0.01, the fix") for line in claim.evidence)
    assert not any(line.startswith("lr 0.01") for line in others)


def test_networks_tried_at_different_rates_are_not_compared(joined):
    frame = join_rates(joined, {0.01: BOTH, 0.1: {"residual": LOW}})
    assert collect_verdicts(frame) == {Verdict.NOT_TESTED}


# Errors of three seeds by learning rate.
PLAIN_56 = {0.01: [50.0, 52.0, 51.5], 0.1: [54.0, 53.0, 55.5]}
RESIDUAL_56 = {0.01: [1.0, 1.4, 0.9], 0.1: [0.8, 1.1, 0.6]}
RESIDUAL_20 = {0.01: [0.8, 0.9, 0.7], 0.1: [0.7, 1.0, 0.6]}


@pytest.mark.slow
def test_bounds_account_for_the_choice_of_the_rate(joined):
    errors_by_rate = {}
    for lr in (0.01, 0.1):
        residual = {20: RESIDUAL_20[lr], 56: RESIDUAL_56[lr]}
        errors_by_rate[lr] = {"plain": {56: PLAIN_56[lr]}, "residual": residual}
    frame = join_rates(joined, errors_by_rate)
    plain, deep, shallow = (
        list(network.values()) for network in (PLAIN_56, RESIDUAL_56, RESIDUAL_20)
    )
    fix = difference_of_minima(plain, deep)
    assert fix.lower < welch_difference(PLAIN_56[0.01], RESIDUAL_56[0.1]).lower
    name = "the fix, best learning rates"
    line, _ = judge_around(frame, name, fix.lower, Verdict.REPRODUCED, Verdict.INCONCLUSIVE)
    assert line.endswith(f"{fix.mean:+.2f} points, 95 % lower bound {fix.lower:+.2f}")
    judge_around(frame, name, fix.upper, Verdict.INCONCLUSIVE, Verdict.CONTRADICTED)
    rise = difference_of_minima(deep, shallow)
    name = "no degradation, best learning rates"
    judge_around(frame, name, rise.upper, Verdict.INCONCLUSIVE, Verdict.REPRODUCED)
    judge_around(frame, name, rise.lower, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE)
    notes = judge_comparisons(frame)["the fix, best learning rates"].notes
    assert any("the bounds account for this choice" in note for note in notes)


def test_noisy_network_is_not_judged_by_its_luckiest_rate(joined):
    """At one of four rates that vary by some points, the errors are low and close by chance."""
    deep = {
        0.01: [24.9, 20.3, 26.1],
        0.03: [20.2, 19.4, 20.8],
        0.1: [23.8, 18.9, 22.7],
        0.3: [19.2, 25.4, 23.9],
    }
    shallow = [20.0, 20.1, 19.9]
    frame = join_rates(joined, {lr: {"residual": {20: shallow, 56: deep[lr]}} for lr in deep})
    best, notes = select_best_rates(frame.runs)
    assert notes[0].endswith("residual-56 0.03")
    assert judge_no_degradation(best, 2.0).verdict is Verdict.REPRODUCED
    assert (
        judge_comparisons(frame)["no degradation, best learning rates"].verdict
        is Verdict.INCONCLUSIVE
    )


@pytest.mark.parametrize(("seeds", "is_noted"), [(2, True), (3, False)])
def test_note_says_that_two_seeds_rarely_decide(joined, seeds, is_noted):
    errors = {"plain": {20: [1.0] * seeds, 56: [50.0] * seeds}}
    frame = join_rates(joined, {0.01: errors, 0.1: errors})
    notes = judge_comparisons(frame)["degradation, best learning rates"].notes
    assert any("with two seeds per learning rate" in note for note in notes) is is_noted


def test_rate_with_one_seed_leaves_the_best_rate_unknown(joined):
    one_seed = {"plain": {20: [1.0], 56: [50.0]}}
    two_seeds = {"plain": {20: [0.9, 1.0], 56: [49.0, 50.0]}}
    claim = judge_comparisons(join_rates(joined, {0.01: one_seed, 0.1: two_seeds}))[
        "degradation, best learning rates"
    ]
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive_line == "plain-20 has one seed at lr 0.01; an interval needs two"


def test_repeated_seed_leaves_the_best_rate_unknown(joined):
    frame = join_rates(joined, {0.01: BOTH, 0.1: BOTH})
    frame.runs.loc[frame.runs["run_id"] == "1:plain-d20-s2", "seed"] = 0
    claim = judge_comparisons(frame)["the fix, best learning rates"]
    assert collect_verdicts(frame) == {Verdict.NOT_TESTED}
    assert "seed 0 of plain-20 at lr 0.1 is recorded twice" in claim.decisive_line
