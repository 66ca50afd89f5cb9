"""Times to an error lie between two evaluations, or beyond the last."""

import math

from analysis.mechanisms.time_to_threshold import measure_times
from tests.support.convergence import runs_and_curves


def test_time_lies_between_evaluations_or_beyond_the_last():
    frame = runs_and_curves({"plain": {20: [60, 80], 56: [None, 400]}})
    times = measure_times(frame.runs, frame.curves)
    half = times[times["threshold"] == 0.5].set_index("run_id")
    assert tuple(half.loc["plain-d20-s0", ["after", "by"]]) == (40, 80)
    assert tuple(half.loc["plain-d20-s1", ["after", "by"]]) == (40, 80)  # reached exactly at 80
    assert tuple(half.loc["plain-d56-s0", ["after", "by"]]) == (400, math.inf)
    assert tuple(half.loc["plain-d56-s1", ["after", "by"]]) == (360, 400)
    assert set(times["threshold"]) == {0.75, 0.5, 0.25, 0.125}


def test_diverged_run_never_reaches_the_error():
    frame = runs_and_curves({"plain": {20: [60, 80]}})
    frame.curves.loc[frame.curves["run_id"] == "plain-d20-s0", "training_error"] = 90.0
    times = measure_times(frame.runs.assign(state="diverged"), frame.curves)
    assert times.loc[times["run_id"] == "plain-d20-s0", "by"].tolist() == [math.inf] * 4
