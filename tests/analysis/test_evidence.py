"""The text of evidence and notes."""

import pytest

from analysis.abbreviation import abbreviate
from analysis.claim import training_error_difference
from analysis.difference_line import DifferenceLine
from analysis.estimates import Difference
from analysis.evidence import (
    compare_groups,
    describe_caveats,
    describe_diverged,
    describe_end,
    format_bound,
)
from analysis.frame import group_by_depth
from analysis.statistics import difference_of_minima, paired_difference

DIFFERENCE = Difference(3.0, 1.0, 4.0)  # t(0.95) = 2.132, t(0.975) = 2.776


@pytest.fixture
def runs(build_frame):
    """The runs of two depths, three seeds each."""
    frame = build_frame({"residual": {20: [1.0, 2.0, 4.0], 56: [7.0, 5.5, 9.0]}})
    return group_by_depth(frame.runs, "residual")


def test_bound_names_its_level_and_side():
    assert format_bound(DIFFERENCE, "lower") == "+3.00 points, 95 % lower bound +0.87"
    assert format_bound(DIFFERENCE, "upper") == "+3.00 points, 95 % upper bound +5.13"


def test_corrected_bound_names_the_correction():
    expected = "+3.00 points, 95 % lower bound (Holm, 4 bounds) -0.50"
    assert format_bound(DIFFERENCE, "lower", 4) == expected


def test_bound_in_another_unit():
    text = format_bound(DIFFERENCE, "lower", show="{:.1f}".format, unit=" blocks")
    assert text == "3.0 blocks, 95 % lower bound 0.9"


def test_line_has_all_bounds_and_the_method():
    assert str(DifferenceLine("56 minus 20 layers", DIFFERENCE)) == (
        "56 minus 20 layers: +3.00 points (Welch: one-sided 95 % bounds +0.87, +5.13;"
        " two-sided 95 % interval +0.22 to +5.78)"
    )


def test_bounds_by_seed_follow_those_of_welch(runs):
    by_seed = paired_difference([7.0, 5.5, 9.0], [1.0, 2.0, 4.0])
    difference = training_error_difference(runs[56], runs[20])
    line = str(compare_groups("label", difference, runs[56], runs[20]))
    assert line.startswith(str(DifferenceLine("label", difference)))
    bounds = f"{by_seed.lower:+.2f}, {by_seed.upper:+.2f}"
    assert line.endswith(f"; paired by seed: one-sided 95 % bounds {bounds}")


def test_different_seeds_have_no_bounds_by_seed(runs):
    runs[20]["seed"] = [0, 1, 3]
    difference = training_error_difference(runs[56], runs[20])
    line = compare_groups("label", difference, runs[56], runs[20])
    assert line == DifferenceLine("label", difference)


def test_difference_of_minima_has_no_bounds_by_seed(runs):
    errors = [[1.0, 2.0], [3.0, 4.0]]
    line = str(compare_groups("label", difference_of_minima(errors, errors), runs[56], runs[20]))
    assert "(Welch, corrected for the choice of the best: one-sided" in line
    assert "paired" not in line


def test_items_beyond_three_are_counted():
    assert abbreviate([]) == ""
    assert abbreviate(["a", "b", "c"]) == "a, b, c"
    assert abbreviate(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert abbreviate(["a", "b", "c", "d"], "; ") == "a; b; c; and 1 more"


@pytest.mark.parametrize(
    ("run", "text"),
    [
        ({"state": "diverged", "ended_at": 1234.0}, "at iteration 1,234"),
        ({"state": "failed", "ended_at": 7}, "at iteration 7"),
        ({"state": "failed", "ended_at": float("nan")}, ""),
        ({"state": "failed"}, ""),
        ({"state": "done", "ended_at": 7}, ""),
    ],
)
def test_end_is_described_for_runs_that_ended_early(run, text):
    assert describe_end(run) == text


def test_diverged_runs_are_counted_with_their_ends(runs):
    depth_56 = runs[56].assign(ended_at=float("nan"))
    assert describe_diverged(depth_56, "residual-56") == []
    depth_56["state"] = ["done", "diverged", "diverged"]
    note = "2 of 3 runs of residual-56 diverged; a diverged run counts as chance error"
    assert describe_diverged(depth_56, "residual-56") == [note]
    depth_56["ended_at"] = [400.0, 9.0, float("nan")]
    (note,) = describe_diverged(depth_56, "residual-56")
    assert note.startswith("2 of 3 runs of residual-56 diverged (at iteration 9); ")


def test_caveats_are_empty_without_a_problem(runs):
    assert describe_caveats(runs[56], runs) == []


def test_caveats_name_different_gpus(runs):
    names = ["cuda: NVIDIA H100", "cuda: NVIDIA A100", "cuda: NVIDIA H100 + cuda: NVIDIA A100"]
    (note,) = describe_caveats(runs[56].assign(device=names), {56: runs[56]})
    assert note == (
        "the runs were trained on different devices, which may change rounding:"
        " cuda: NVIDIA A100, cuda: NVIDIA H100"
    )


def test_caveats_name_mixed_devices_threads_and_versions(runs):
    depth_56 = runs[56].assign(
        device=["cpu", "cpu", "cuda: NVIDIA"],
        threads=["1", "2", "4"],
        torch=["2.14.1", "2.11.0 + 2.14.1", None],  # the second was resumed by another version
    )
    assert describe_caveats(depth_56, {56: depth_56}) == [
        "the runs were trained on different types of device: cpu, cuda",
        "the runs were trained with different numbers of CPU threads, which changes rounding: 1, 2",
        "the runs were trained by different versions of PyTorch, which may change rounding: 2.11.0,"
        " 2.14.1",
    ]
