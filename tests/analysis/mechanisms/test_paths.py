"""Paths: effective lengths computed by hand, every verdict, and the figure."""

from dataclasses import replace
from math import comb, nan

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.figures import style
from analysis.mechanisms.paths import build, measure_lengths
from tests.support.drawings import point_heights

# Norms by path length, of n = 4 blocks.
SHORT = [4.0, 3.0, 2.0, 1.0, 0.0]  # effective length 1
LONG = [0.0, 1.0, 2.0, 3.0, 4.0]  # effective length 3


@pytest.fixture(autouse=True)
def _style():
    style.apply()


@pytest.fixture
def frame_with_paths(build_frame):
    """Return a function: norms of each seed at the end -> a frame. They are LONG at the start."""

    def build_probed_frame(ends, depths=(20,), plain=False):
        errors = {"residual": {depth: [1.0] * len(ends) for depth in depths}}
        frame = build_frame({**errors, "plain": {20: [1.0]}} if plain else errors)
        tables = []
        for run in frame.runs[frame.runs["family"] == "residual"].to_dict("records"):
            for time_point, iteration, norms in (
                ("initialisation", 0, LONG),
                ("end", 400, ends[run["seed"]]),
            ):
                lengths = range(len(norms))
                table = pd.DataFrame({"length": lengths, "sum_gradient": norms})
                table["paths"] = [float(comb(len(norms) - 1, k)) for k in lengths]
                table["path_gradient"] = [nan if k == 1 else 0.1**k for k in lengths]
                run_columns = {key: run[key] for key in ("run_id", "family", "depth", "seed")}
                tables.append(
                    table.assign(time_point=time_point, iteration=iteration, **run_columns)
                )
        return replace(frame, probes={"paths": pd.concat(tables, ignore_index=True)})

    return build_probed_frame


def test_without_probe_there_is_no_explanation(build_frame):
    assert build(build_frame({"residual": {20: [1.0]}}), 2.0) is None


def test_effective_length_is_weighted_by_norms(frame_with_paths):
    lengths = measure_lengths(frame_with_paths([SHORT]).probes["paths"]).set_index("time_point")
    end = lengths.loc["end"]
    assert end["effective"] == pytest.approx((0 * 4 + 1 * 3 + 2 * 2 + 3 * 1) / 10)
    assert end["excess"] == pytest.approx(1 - 4 / 2)
    assert (end["from"], end["to"]) == (0, 3)
    assert lengths.loc["initialisation", "effective"] == pytest.approx(3)
    assert lengths.loc["initialisation", "from"] == 1  # no norm at length 0


# Effective length 1.99 of 4 blocks.
ALMOST_HALF = [1.0, 4.0, 6.0, 4.0, 0.957]


def test_paths_as_good_as_half_are_negligible(frame_with_paths):
    (claim,) = build(frame_with_paths([ALMOST_HALF] * 2), 2.0).claims
    assert claim.verdict is Verdict.REPRODUCED
    assert claim.outcome == "negligible"
    (deeper,) = build(frame_with_paths([SHORT] * 2, depths=(20, 56)), 2.0).claims
    assert deeper.outcome == "reproduced"
    assert deeper.plain_words == (
        "The gradient flows along paths of about 1.0 blocks at 20 layers (half of all: 2) and 1.0"
        " blocks at 56 layers (half of all: 2)."
    )


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ([SHORT, [4.0, 3.0, 2.1, 1.0, 0.0]], Verdict.REPRODUCED),
        ([LONG, [0.0, 1.0, 2.1, 3.0, 4.0]], Verdict.CONTRADICTED),
        ([SHORT, LONG], Verdict.INCONCLUSIVE),
        ([SHORT], Verdict.NOT_TESTED),
    ],
)
def test_short_paths_can_get_every_verdict(frame_with_paths, ends, verdict):
    explanation = build(frame_with_paths(ends), 2.0)
    (claim,) = explanation.claims
    assert claim.verdict is verdict
    if verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
        assert (
            f"95 % {'upper' if verdict is Verdict.REPRODUCED else 'lower'} bound"
            in claim.decisive_line
        )
        assert "at initialisation 3.00" in claim.evidence[0]


def test_one_depth_with_long_paths_contradicts(frame_with_paths):
    frame = frame_with_paths([SHORT, SHORT], depths=(20, 32))
    table = frame.probes["paths"].copy()
    at_32 = (table["depth"] == 32) & (table["time_point"] == "end")
    table.loc[at_32, "sum_gradient"] = [*LONG, *LONG]
    (claim,) = build(replace(frame, probes={"paths": table}), 2.0).claims
    assert claim.verdict is Verdict.CONTRADICTED
    assert claim.decisive_line == (
        "worst case, 32 layers, 4 blocks: effective length minus n/2 = 2 is +1.00 blocks,"
        " 95 % lower bound (Holm, 2 bounds) +1.00"
    )
    assert len(claim.evidence) == 2


def norms_with_excess(over):
    """Return norms of three seeds, whose effective lengths are 2 + `over` and 0.1 apart.

    Only lengths 0 and 4 carry anything.
    """
    return [
        [1 - (2 + excess) / 4, 0.0, 0.0, 0.0, (2 + excess) / 4]
        for excess in (over - 0.1, over, over + 0.1)
    ]


# The standard error is 0.1 / sqrt(3) with 2 degrees of freedom, so a bound is 2.92 * 0.0577 = 0.169
# away.
@pytest.mark.parametrize(
    ("over", "verdict"),
    [
        (-0.17, Verdict.REPRODUCED),
        (-0.16, Verdict.INCONCLUSIVE),
        (0.16, Verdict.INCONCLUSIVE),
        (0.17, Verdict.CONTRADICTED),
    ],
)
def test_bounds_decide_on_both_sides_of_zero(frame_with_paths, over, verdict):
    assert build(frame_with_paths(norms_with_excess(over)), 2.0).claims[0].verdict is verdict


def test_several_depths_need_more_to_contradict(frame_with_paths):
    """At one depth +0.2 contradicts (p = 0.037); two depths need p < 0.025, which +0.25 has."""
    for over, verdict in ((0.2, Verdict.INCONCLUSIVE), (0.25, Verdict.CONTRADICTED)):
        frame = frame_with_paths(norms_with_excess(-1.0), depths=(20, 32))
        table = frame.probes["paths"].copy()
        at_32 = (table["depth"] == 32) & (table["time_point"] == "end")
        table.loc[at_32, "sum_gradient"] = np.ravel(norms_with_excess(over))
        assert build(replace(frame, probes={"paths": table}), 2.0).claims[0].verdict is verdict


def test_nan_gradient_is_reported_and_never_yields_reproduced(frame_with_paths):
    with_nan = [4.0, nan, 2.0, 1.0, 0.0]
    (claim,) = build(frame_with_paths([SHORT, SHORT, with_nan]), 2.0).claims
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert any("residual-d20-s2 is zero or not finite" in note for note in claim.notes)
    explanation = build(frame_with_paths([SHORT, with_nan]), 2.0)
    assert explanation.claims[0].verdict is Verdict.NOT_TESTED
    assert explanation.table.set_index("iteration").loc[400, "runs_known"] == 1
    # Nothing is known at the end, and the figure is still drawn.
    explanation = build(frame_with_paths([[0.0] * 5, [nan] * 5]), 2.0)
    assert explanation.claims[0].verdict is Verdict.NOT_TESTED


def test_figure_draws_numbers_norms_and_shares(frame_with_paths):
    frame = frame_with_paths([SHORT, [8.0, 6.0, 4.0, 2.0, 0.0]], plain=True)
    fig = build(frame, 2.0).figures["paths"][0]
    count, single, total, depths = fig.axes
    assert count.lines[0].get_ydata() == pytest.approx(np.array([1, 4, 6, 4, 1]) / 16)
    lines = {line.get_label(): line for line in single.lines}
    assert list(lines["end"].get_xdata()) == [0, 2, 3, 4]  # length 1 was not sampled
    assert lines["end"].get_ydata() == pytest.approx([1, 0.01, 0.001, 0.0001])
    lines = {line.get_label(): line for line in total.lines}
    # Both seeds have the same shares.
    assert lines["end"].get_ydata() == pytest.approx(np.array(SHORT) / 10)
    assert lines["effective length, end"].get_xdata()[0] == pytest.approx(1)
    assert lines["$n/2$, the mean length"].get_xdata()[0] == pytest.approx(2)
    assert count.get_ylim() == total.get_ylim()
    assert point_heights(depths) == pytest.approx([0.25, 0.25, 0.75, 0.75])
