"""Convergence: times computed by hand, every verdict, censored runs, and the figure."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.figures import style
from analysis.figures.marks import describe_marks
from analysis.interval_censoring import EXPONENTIAL, fit_growth
from analysis.mechanisms import convergence
from analysis.mechanisms.growth import HALF
from analysis.mechanisms.slowing import decide_slowing
from analysis.mechanisms.time_to_threshold import THRESHOLDS, measure_times

EVERY, LAST = 40, 400
# Iterations to half of chance error (45 %) by depth, one value per seed, or None if it is never
# reached.
SLOW = {20: [60, 70, 90], 32: [110, 130, 150], 44: [190, 210, 260], 56: [None] * 3, 110: [None] * 3}
FLAT = {depth: [130, 150, 170] for depth in (20, 32, 44, 56, 110)}


def runs_and_curves(build_frame, times, every=EVERY):
    """Return a frame whose runs' errors fall linearly from 90 % and pass 45 % at these times."""
    errors = {}
    for family, depths in times.items():
        errors[family] = {depth: [1.0] * len(seeds) for depth, seeds in depths.items()}
    frame = build_frame(errors)
    rows = []
    for run in frame.runs.to_dict("records"):
        half = times[run["family"]][run["depth"]][run["seed"]]
        for iteration in range(every, LAST + 1, every):
            error = 80.0 if half is None else max(0.0, 90 - 45 * iteration / half)
            identity = {key: run[key] for key in ("run_id", "family", "depth", "seed", "state")}
            rows.append(identity | {"iteration": iteration, "training_error": error})
    return replace(frame, curves=pd.DataFrame(rows), probes={"gradient_flow": pd.DataFrame()})


@pytest.fixture
def explain(build_frame):
    """Return a function: times of each family -> the explanation."""
    style.apply()

    def explain_times(**times):
        return convergence.build(runs_and_curves(build_frame, times), 2.0)

    return explain_times


def select_claim(explanation, name):
    return next(claim for claim in explanation.claims if claim.name.startswith(name))


def test_time_lies_between_evaluations_or_beyond_the_last(build_frame):
    frame = runs_and_curves(build_frame, {"plain": {20: [60, 80], 56: [None, 400]}})
    times = measure_times(frame.runs, frame.curves)
    half = times[times["threshold"] == 0.5].set_index("run_id")
    assert tuple(half.loc["plain-d20-s0", ["after", "by"]]) == (40, 80)
    assert tuple(half.loc["plain-d20-s1", ["after", "by"]]) == (40, 80)  # reached exactly at 80
    assert tuple(half.loc["plain-d56-s0", ["after", "by"]]) == (400, math.inf)
    assert tuple(half.loc["plain-d56-s1", ["after", "by"]]) == (360, 400)
    assert set(times["threshold"]) == {0.75, 0.5, 0.25, 0.125}


def test_diverged_run_never_reaches_the_error(build_frame):
    frame = runs_and_curves(build_frame, {"plain": {20: [60, 80]}})
    frame.curves.loc[frame.curves["run_id"] == "plain-d20-s0", "training_error"] = 90.0
    times = measure_times(frame.runs.assign(state="diverged"), frame.curves)
    assert times.loc[times["run_id"] == "plain-d20-s0", "by"].tolist() == [math.inf] * 4


def test_doubling_times_are_exponential(explain):
    times = {
        8: [44, 46, 70],
        20: [60, 90, 95],
        32: [110, 130, 150],
        44: [210, 230, 260],
        56: [350, 390, None],
    }
    claim = select_claim(explain(plain=times), "exponentially slow")
    assert claim.verdict is Verdict.REPRODUCED
    assert "3 of 3 runs reached it" in claim.evidence[-5]
    assert "2 of 3 runs reached it, median 360 to 400 iterations; 1 censored" in claim.evidence[-1]
    assert any("deep networks would look faster" in note for note in claim.notes)


def test_whole_training_and_other_shares_are_evidence(explain):
    """The fit to the whole training uses times after the first drop (200); the verdict does not."""
    claim = select_claim(explain(plain=SLOW), "exponentially slow")
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


def test_no_line_joins_censored_medians(explain):
    ((fig, _),) = explain(plain=SLOW).figures.values()
    lines = [line for line in fig.axes[1].lines if len(line.get_ydata()) == 5]
    half = next(line for line in lines if line.get_ydata()[0] == 80)  # the median of 20 layers
    assert np.isnan(half.get_ydata()[-1])
    assert half.get_ydata()[-2] == LAST


def test_times_that_decrease_with_depth_contradict(explain):
    falling = {20: [290, 310, 330], 32: [190, 210, 230], 44: [110, 130, 150], 56: [70, 90, 100]}
    assert (
        select_claim(explain(plain=falling), "exponentially slow").verdict is Verdict.CONTRADICTED
    )


def test_power_law_times_contradict(build_frame):
    times = {}
    for depth in (8, 14, 20, 32, 56, 110):
        median = 11 * depth**0.75
        times[depth] = [0.98 * median, median, 1.02 * median]
    frame = runs_and_curves(build_frame, {"plain": times})
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.milestones": "[]"}))
    claim = select_claim(convergence.build(frame, 2.0), "exponentially slow")
    assert claim.verdict is Verdict.CONTRADICTED
    assert "exponential minus power law -" in claim.decisive_line


def test_growth_after_the_drop_alone_is_inconclusive(explain):
    """Only two depths have times up to iteration 200, and both forms pass through two points."""
    times = {
        20: [60, 70, 90],
        32: [130, 140, 150],
        44: [250, 270, 290],
        56: [None] * 3,
        110: [None] * 3,
    }
    claim = select_claim(explain(plain=times), "exponentially slow")
    assert claim.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "late", [210, None, *[pytest.param(late, marks=pytest.mark.slow) for late in (230, 390)]]
)
def test_times_after_the_drop_do_not_decide(explain, late):
    """It does not matter how the learning-rate drop at 200 changes what comes later."""
    times = {8: [44, 46, 70], 20: [60, 90, 95], 32: [110, 130, 150], 44: [late] * 3, 56: [late] * 3}
    early = select_claim(explain(plain=times), "exponentially slow")
    never = select_claim(
        explain(plain=times | {44: [None] * 3, 56: [None] * 3}), "exponentially slow"
    )
    assert (early.verdict, early.decisive_line) == (never.verdict, never.decisive_line)


def test_texts_say_that_a_drop_speeds_learning_up(explain):
    """In the runs of `quick`, plain-32 has 29.8, 24.8 and 10.9 % at iterations 160, 200 and 240."""
    explanation = explain(plain=SLOW)
    ((figure, _),) = explanation.figures.values()
    caption = describe_marks(figure)
    note = next(note for note in explanation.claims[0].notes if "learning rate drops" in note)
    for text in (caption.split("Thin horizontal lines")[1], note):
        assert "faster" in text
        assert "slow" not in text


def test_weak_design_has_a_note(explain):
    """With five evaluations before the drop, a note says how rarely a form would be preferred."""
    claim = select_claim(explain(plain=SLOW), "exponentially slow")
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.notes[0].startswith("this design cannot reliably distinguish the two forms")
    chances = re.search(r"about (\d+) % and (\d+) %", claim.notes[0])
    assert max(map(int, chances.groups())) < 20


def test_strong_design_has_no_note(build_frame):
    times = {}
    for depth in range(8, 62, 6):
        median = 8 * math.exp(0.0525 * depth)
        times[depth] = [round(0.9 * median), round(median), round(1.1 * median)]
    frame = runs_and_curves(build_frame, {"plain": times}, every=5)
    frame = replace(frame, runs=frame.runs.assign(**{"config.schedule.milestones": "[]"}))
    claim = select_claim(convergence.build(frame, 2.0), "exponentially slow")
    assert claim.verdict is Verdict.REPRODUCED
    assert not any("cannot reliably distinguish" in note for note in claim.notes)


def test_gradual_changes_of_the_learning_rate_have_a_note(build_frame):
    frame = runs_and_curves(build_frame, {"plain": SLOW})
    columns = {"config.schedule.shape": "cosine", "config.schedule.milestones": "[]"}
    notes = {}
    for name, runs in (("step", frame.runs), ("cosine", frame.runs.assign(**columns))):
        claim = select_claim(
            convergence.build(replace(frame, runs=runs), 2.0), "exponentially slow"
        )
        notes[name] = [note for note in claim.notes if "changes in every iteration" in note]
    assert notes["step"] == []
    assert "(cosine schedule)" in notes["cosine"][0]


def test_flat_times_are_inconclusive(explain):
    assert select_claim(explain(plain=FLAT), "exponentially slow").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "times",
    [
        {20: [60], 32: [130], 44: [210]},
        {20: [60, 70], 32: [130, 140]},
        {d: [None] * 2 for d in (20, 32, 44)},
    ],
)
def test_too_few_seeds_depths_or_times_are_not_tested(explain, times):
    assert select_claim(explain(plain=times), "exponentially slow").verdict is Verdict.NOT_TESTED


@pytest.mark.slow
def test_slowing_has_all_three_verdicts(explain):
    claim = select_claim(explain(plain=SLOW, residual=FLAT), "less slowing")
    assert claim.verdict is Verdict.REPRODUCED
    swapped = select_claim(explain(plain=FLAT, residual=SLOW), "less slowing")
    assert swapped.verdict is Verdict.CONTRADICTED
    same = select_claim(explain(plain=SLOW, residual=SLOW), "less slowing")
    assert same.verdict is Verdict.INCONCLUSIVE


def fit_line(slope, spread):
    """Return a fit to ten runs at each of four depths.

    Log times grow by `slope` per layer and differ from that line by up to `spread`.
    """
    depths = np.repeat([20.0, 32, 44, 56], 10)
    noise = np.tile(np.linspace(-1, 1, 10), 4) * spread
    times = np.exp(3 + slope * depths + noise)
    return fit_growth(EXPONENTIAL, depths, times * 0.999, times)


def test_one_of_four_shares_contradicts_by_a_wider_bound():
    """Holm's first step: a 95 % bound beyond the other one is not enough, a 98.75 % bound is."""
    plain, alike = fit_line(0.05, 0.1), fit_line(0.05, 0.3)
    slightly = fit_line(
        0.05 + 0.5 * gap_at(plain, alike, 0.95) + 0.5 * gap_at(plain, alike, 0.9875), 0.3
    )
    clearly = fit_line(0.05 + 1.1 * gap_at(plain, alike, 0.9875), 0.3)
    assert slightly.lower > plain.upper

    def verdict(other, shares):
        return decide_slowing(
            {share: (plain, other if share == shares[0] else alike) for share in shares}
        )

    assert verdict(slightly, [HALF]) is Verdict.CONTRADICTED
    assert verdict(slightly, THRESHOLDS) is Verdict.INCONCLUSIVE
    assert verdict(clearly, THRESHOLDS) is Verdict.CONTRADICTED


def gap_at(plain, residual, level):
    """Return by how much the residual slope must grow for its bound to reach the plain one's."""
    return plain.bound(level, 1) - residual.bound(level, -1)


@pytest.mark.slow
def test_decisive_line_states_the_level(explain):
    claim = select_claim(explain(plain=FLAT, residual=SLOW), "less slowing")
    shares = int(claim.decisive_line.split("worst case of ")[1].split(" ")[0])
    assert shares > 1
    assert f"residual {100 - 5 / shares:.4g} % lower bound" in claim.decisive_line
    assert (
        "residual 95 % upper bound"
        in select_claim(explain(plain=SLOW, residual=FLAT), "less slowing").decisive_line
    )


@pytest.mark.slow
def test_equal_slopes_contradict_in_five_percent():
    """The slopes are equal; with four 95 % bounds, 18 % of the verdicts would contradict."""
    depths, generator = np.repeat([20.0, 32, 44, 56], 4), np.random.default_rng(0)
    plain, verdicts = fit_line(0.05, 1e-3), []
    for _ in range(100):
        fits = {}
        for share in THRESHOLDS:
            by = np.exp(3 + 0.05 * depths + 0.3 * generator.normal(size=len(depths)))
            fits[share] = (plain, fit_growth(EXPONENTIAL, depths, by * 0.999, by))
        verdicts.append(decide_slowing(fits))
    # 5 % plus two standard errors
    assert 0 < verdicts.count(Verdict.CONTRADICTED) <= 0.1 * len(verdicts)


@pytest.mark.slow
def test_figure_draws_censored_runs_as_open_triangles(explain):
    ((fig, _),) = explain(plain=SLOW, residual=FLAT).figures.values()
    first = fig.axes[0]
    triangles = [line for line in first.lines if line.get_marker() == "^"]
    assert sum(len(line.get_ydata()) for line in triangles) == 6
    assert set(np.concatenate([line.get_ydata() for line in triangles])) == {LAST}
    marks = [line for line in first.lines if line.get_marker() in ("s", "o")]
    assert sum(len(line.get_ydata()) for line in marks) == 9 + 15
    intervals = [line for line in first.lines if line.get_alpha() == 0.6]
    gaps = sum(int(np.isnan(line.get_ydata()).sum()) for line in intervals)
    assert gaps == 9 + 15  # the interval of each run ends with a gap
    fits = [line for line in first.lines if len(line.get_ydata()) == 200]
    assert len(fits) == 2
    slopes = [np.diff(np.log(line.get_ydata())) for line in fits]
    assert np.allclose(slopes[0], slopes[0][0])  # exponential: a straight line on this scale
    assert slopes[1][0] > slopes[1][-1]


def test_table_has_counts_and_medians(explain):
    table = explain(plain=SLOW).table.set_index("depth")
    assert table.loc[20, "iterations to 1/2"] == "40 to 80"
    assert table.loc[56, "iterations to 1/2"] == "> 400"
    assert table["reached 1/2"].tolist() == [3, 3, 3, 0, 0]


def test_one_depth_is_not_explained(explain):
    assert explain(plain={20: [60, 70]}) is None
