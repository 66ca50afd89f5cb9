"""Convergence rate: times by hand, each verdict, censored runs told, and what is drawn."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.figures import style
from analysis.interval_censoring import EXPONENTIAL, fit_growth
from analysis.mechanisms import convergence
from analysis.mechanisms.growth import HALF
from analysis.mechanisms.slowing import decide_slowing
from analysis.mechanisms.time_to_threshold import THRESHOLDS, measure_times

EVERY, LAST = 40, 400
# iterations to half of chance (45 %) by depth, a value a seed; None: never
SLOW = {20: [60, 70, 90], 32: [110, 130, 150], 44: [190, 210, 260], 56: [None] * 3, 110: [None] * 3}
FLAT = {depth: [130, 150, 170] for depth in (20, 32, 44, 56, 110)}


def runs_and_curves(frame_of, times, every=EVERY):
    """A frame whose runs' errors fall linearly from 90 %, and pass 45 % at these iterations."""
    frame = frame_of(
        {family: {depth: [1.0] * len(v) for depth, v in of.items()} for family, of in times.items()}
    )
    rows = []
    for run in frame.runs.to_dict("records"):
        half = times[run["family"]][run["depth"]][run["seed"]]
        for iteration in range(every, LAST + 1, every):
            error = 80.0 if half is None else max(0.0, 90 - 45 * iteration / half)
            who = {key: run[key] for key in ("run_id", "family", "depth", "seed", "state")}
            rows.append(who | {"iteration": iteration, "training_error": error})
    return replace(frame, curves=pd.DataFrame(rows), probes={"gradient_flow": pd.DataFrame()})


@pytest.fixture
def explained(frame_of):
    style.apply()
    return lambda **times: convergence.build(runs_and_curves(frame_of, times), 2.0)


def claim(explanation, name):
    return next(one for one in explanation.claims if one.name.startswith(name))


def test_a_time_lies_between_two_evaluations_or_after_the_last(frame_of):
    frame = runs_and_curves(frame_of, {"plain": {20: [60, 80], 56: [None, 400]}})
    times = measure_times(frame.runs, frame.curves)
    half = times[times["threshold"] == 0.5].set_index("run_id")
    assert tuple(half.loc["plain-d20-s0", ["after", "by"]]) == (40, 80)
    assert tuple(half.loc["plain-d20-s1", ["after", "by"]]) == (40, 80)  # at 80 it is there
    assert tuple(half.loc["plain-d56-s0", ["after", "by"]]) == (400, math.inf)
    assert tuple(half.loc["plain-d56-s1", ["after", "by"]]) == (360, 400)
    assert set(times["threshold"]) == {0.75, 0.5, 0.25, 0.125}


def test_a_diverged_run_never_got_there(frame_of):
    frame = runs_and_curves(frame_of, {"plain": {20: [60, 80]}})
    frame.curves.loc[frame.curves["run_id"] == "plain-d20-s0", "training_error"] = 90.0
    times = measure_times(frame.runs.assign(state="diverged"), frame.curves)
    assert times.loc[times["run_id"] == "plain-d20-s0", "by"].tolist() == [math.inf] * 4


def test_times_that_double_every_so_many_layers_are_exponential(explained):
    times = {
        8: [44, 46, 70],
        20: [60, 90, 95],
        32: [110, 130, 150],
        44: [210, 230, 260],
        56: [350, 390, None],
    }
    found = claim(explained(plain=times), "exponentially slow")
    assert found.verdict is Verdict.REPRODUCED
    assert "3 of 3 runs reached it" in found.evidence[-5]
    assert "2 of 3 runs reached it, median 360 to 400 iterations; 1 censored" in found.evidence[-1]
    assert any("deep networks would look faster" in note for note in found.notes)


def test_whole_training_and_other_shares_are_evidence(explained):
    """Times after the first drop (200) are in the fit of the whole training, not in the one that decides."""
    found = claim(explained(plain=SLOW), "exponentially slow")
    whole = next(
        line
        for line in found.evidence
        if line.startswith("whole training, with the learning-rate drops")
    )
    decisive = found.decisive.split("power law ")[1].split(" ")[0]
    assert float(whole.rsplit(" ", 1)[1]) != float(decisive)
    assert found.decisive.endswith("before the learning rate drops, at 200 iterations")
    shares = [
        line.split(" of ")[0]
        for line in found.evidence
        if line.startswith("at ") and "chance error" in line
    ]
    assert shares == ["at 3/4", "at 1/4", "at 1/8"]


def test_medians_that_were_never_reached_are_joined_by_no_line(explained):
    ((canvas, _),) = explained(plain=SLOW).figures.values()
    half = next(
        line
        for line in canvas.axes[1].lines
        if line.get_label() and len(line.get_ydata()) == 5 and line.get_ydata()[0] == 80
    )  # 20 layers: the median run is there at 80
    assert np.isnan(half.get_ydata()[-1])
    assert half.get_ydata()[-2] == LAST


def test_times_that_fall_with_depth_contradict(explained):
    falling = {20: [290, 310, 330], 32: [190, 210, 230], 44: [110, 130, 150], 56: [70, 90, 100]}
    assert claim(explained(plain=falling), "exponentially slow").verdict is Verdict.CONTRADICTED


def test_times_of_a_power_of_depth_contradict(frame_of):
    power = {
        depth: [11 * depth**0.75 * f for f in (0.98, 1.0, 1.02)]
        for depth in (8, 14, 20, 32, 56, 110)
    }
    frame = runs_and_curves(frame_of, {"plain": power})
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.milestones": "[]"}))
    found = claim(convergence.build(frame, 2.0), "exponentially slow")
    assert found.verdict is Verdict.CONTRADICTED
    assert "exponential minus power law -" in found.decisive


def test_growth_seen_after_the_drop_only_is_inconclusive(explained):
    """Up to 200 iterations two depths alone are timed, through which both forms pass."""
    times = {
        20: [60, 70, 90],
        32: [130, 140, 150],
        44: [250, 270, 290],
        56: [None] * 3,
        110: [None] * 3,
    }
    found = claim(explained(plain=times), "exponentially slow")
    assert found.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("late", [210, 230, 390, None])
def test_times_after_the_drop_do_not_decide(explained, late):
    """However much a drop of the learning rate (at 200) speeds or slows what is still to come."""
    times = {8: [44, 46, 70], 20: [60, 90, 95], 32: [110, 130, 150], 44: [late] * 3, 56: [late] * 3}
    early = claim(explained(plain=times), "exponentially slow")
    never = claim(explained(plain=times | {44: [None] * 3, 56: [None] * 3}), "exponentially slow")
    assert (early.verdict, early.decisive) == (never.verdict, never.decisive)


def test_the_drop_is_not_said_to_slow(explained):
    """In quick's runs the error falls faster after the drop: plain-32 29.8, 24.8, 10.9 % at 160, 200, 240."""
    explanation = explained(plain=SLOW)
    ((_, caption),) = explanation.figures.values()
    note = next(note for note in explanation.claims[0].notes if "learning rate drops" in note)
    for text in (caption.split("Thin horizontal lines")[1], note):
        assert "faster" in text
        assert "slow" not in text


def test_a_design_that_cannot_decide_says_so(explained):
    """Five evaluations up to the drop: a note says how rarely either form would be preferred."""
    found = claim(explained(plain=SLOW), "exponentially slow")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.notes[0].startswith("this design cannot reliably distinguish the two forms")
    first, second = (
        int(part.split(" ")[0]) for part in found.notes[0].split("about ")[1].split(" and ")
    )
    assert max(first, second) < 20


def test_a_design_that_can_decide_has_no_such_note(frame_of):
    times = {
        depth: [round(8 * math.exp(0.0525 * depth) * f) for f in (0.9, 1, 1.1)]
        for depth in range(8, 62, 6)
    }
    frame = runs_and_curves(frame_of, {"plain": times}, every=5)
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.milestones": "[]"}))
    found = claim(convergence.build(frame, 2.0), "exponentially slow")
    assert found.verdict is Verdict.REPRODUCED
    assert not any("cannot reliably distinguish" in note for note in found.notes)


def test_flat_times_are_inconclusive(explained):
    assert claim(explained(plain=FLAT), "exponentially slow").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "times",
    [
        {20: [60], 32: [130], 44: [210]},
        {20: [60, 70], 32: [130, 140]},
        {d: [None] * 2 for d in (20, 32, 44)},
    ],
)
def test_one_seed_two_depths_or_no_time_at_all_is_not_tested(explained, times):
    assert claim(explained(plain=times), "exponentially slow").verdict is Verdict.NOT_TESTED


@pytest.mark.slow
def test_residual_nets_that_stay_fast_do_not_slow_so(explained):
    found = claim(explained(plain=SLOW, residual=FLAT), "no such slowing")
    assert found.verdict is Verdict.REPRODUCED
    swapped = claim(explained(plain=FLAT, residual=SLOW), "no such slowing")
    assert swapped.verdict is Verdict.CONTRADICTED
    same = claim(explained(plain=SLOW, residual=SLOW), "no such slowing")
    assert same.verdict is Verdict.INCONCLUSIVE


def known(slope, deviation):
    """A fit of four depths, ten runs each, to times that grow by `slope` per layer and spread by `deviation`."""
    depths = np.repeat([20.0, 32, 44, 56], 10)
    noise = np.tile(np.linspace(-1, 1, 10), 4) * deviation
    times = np.exp(3 + slope * depths + noise)
    return fit_growth(EXPONENTIAL, depths, times * 0.999, times)


def test_one_share_in_four_contradicts_by_a_wider_bound():
    """Holm's first step: a 95 % bound beyond the other's is not enough, one of 98.75 % is."""
    plain, alike = known(0.05, 0.1), known(0.05, 0.3)
    slightly = known(
        0.05 + 0.5 * gap_at(plain, alike, 0.95) + 0.5 * gap_at(plain, alike, 0.9875), 0.3
    )
    clearly = known(0.05 + 1.1 * gap_at(plain, alike, 0.9875), 0.3)
    assert slightly.lower > plain.upper

    def verdict(other, shares):
        return decide_slowing(
            {share: (plain, other if share == shares[0] else alike) for share in shares}
        )

    assert verdict(slightly, [HALF]) is Verdict.CONTRADICTED
    assert verdict(slightly, THRESHOLDS) is Verdict.INCONCLUSIVE
    assert verdict(clearly, THRESHOLDS) is Verdict.CONTRADICTED


def gap_at(plain, residual, level):
    """By how much the residual's slope must grow for its lower bound to reach the plain's upper one."""
    return plain.bound(level, 1) - residual.bound(level, -1)


@pytest.mark.slow
def test_the_level_of_a_contradiction_is_in_its_line(explained):
    found = claim(explained(plain=FLAT, residual=SLOW), "no such slowing")
    shares = int(found.decisive.split("at worst of ")[1].split(" ")[0])
    assert shares > 1
    assert f"residual {100 - 5 / shares:.4g} % lower bound" in found.decisive
    assert (
        "residual 95 % upper bound"
        in claim(explained(plain=SLOW, residual=FLAT), "no such slowing").decisive
    )


@pytest.mark.slow
def test_equal_slopes_contradict_in_five_percent():
    """Four shares, plain slopes known well and equal to the residual's: any of four 95 % bounds would do in 18 %."""
    depths, generator = np.repeat([20.0, 32, 44, 56], 4), np.random.default_rng(0)
    plain, verdicts = known(0.05, 1e-3), []
    for _ in range(100):
        times = [
            np.exp(3 + 0.05 * depths + 0.3 * generator.normal(size=len(depths))) for _ in THRESHOLDS
        ]
        fits = {
            share: (plain, fit_growth(EXPONENTIAL, depths, one * 0.999, one))
            for share, one in zip(THRESHOLDS, times, strict=True)
        }
        verdicts.append(decide_slowing(fits))
    assert (
        0 < verdicts.count(Verdict.CONTRADICTED) <= 0.1 * len(verdicts)
    )  # 5 %, and two standard errors


def test_every_run_is_drawn_and_censored_ones_as_open_triangles(explained):
    ((canvas, _),) = explained(plain=SLOW, residual=FLAT).figures.values()
    first = canvas.axes[0]
    triangles = [line for line in first.lines if line.get_marker() == "^"]
    assert sum(len(line.get_ydata()) for line in triangles) == 6
    assert {at for line in triangles for at in line.get_ydata()} == {LAST}
    marks = [line for line in first.lines if line.get_marker() in ("s", "o")]
    assert sum(len(line.get_ydata()) for line in marks) == 9 + 15
    spans = [line for line in first.lines if line.get_alpha() == 0.6]
    assert (
        sum(int(np.isnan(line.get_ydata()).sum()) for line in spans) == 9 + 15
    )  # each run's ends with a gap
    fits = [line for line in first.lines if len(line.get_ydata()) == 200]
    assert len(fits) == 2
    slopes = [np.diff(np.log(line.get_ydata())) for line in fits]
    assert np.allclose(slopes[0], slopes[0][0])  # exponential: a straight line on this scale
    assert slopes[1][0] > slopes[1][-1]


def test_the_table_counts_and_tells_the_medians(explained):
    table = explained(plain=SLOW).table.set_index("depth")
    assert table.loc[20, "iterations to 1/2"] == "40 to 80"
    assert table.loc[56, "iterations to 1/2"] == "> 400"
    assert table["reached 1/2"].tolist() == [3, 3, 3, 0, 0]


def test_one_depth_has_no_such_part(explained):
    assert explained(plain={20: [60, 70]}) is None
