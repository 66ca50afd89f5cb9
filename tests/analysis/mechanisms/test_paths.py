"""Paths: the effective length by hand, and the claim in all its verdicts."""

from dataclasses import replace
from math import comb, nan

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.figures import style
from analysis.mechanisms.paths import build, measure_lengths

SHORT, LONG = (
    [4.0, 3.0, 2.0, 1.0, 0.0],
    [0.0, 1.0, 2.0, 3.0, 4.0],
)  # effective lengths 1 and 3 of n = 4


@pytest.fixture(autouse=True)
def _style():
    style.apply()


@pytest.fixture
def probed(frame_of):
    """Norms a seed at the end -> a frame; at initialisation they are LONG."""

    def made(ends, depths=(20,), plain=False):
        errors = {"residual": {depth: [1.0] * len(ends) for depth in depths}}
        frame = frame_of({**errors, "plain": {20: [1.0]}} if plain else errors)
        tables = []
        for run in frame.runs[frame.runs["family"] == "residual"].to_dict("records"):
            for moment, iteration, norms in (
                ("initialisation", 0, LONG),
                ("end", 400, ends[run["seed"]]),
            ):
                lengths = range(len(norms))
                table = pd.DataFrame({"length": lengths, "sum_gradient": norms})
                table["paths"] = [float(comb(len(norms) - 1, k)) for k in lengths]
                table["path_gradient"] = [nan if k == 1 else 0.1**k for k in lengths]
                who = {key: run[key] for key in ("run_id", "family", "depth", "seed")}
                tables.append(table.assign(moment=moment, iteration=iteration, **who))
        return replace(frame, probes={"paths": pd.concat(tables, ignore_index=True)})

    return made


def test_without_the_probe_there_is_no_part(frame_of):
    assert build(frame_of({"residual": {20: [1.0]}}), 2.0) is None


def test_the_effective_length_is_the_mean_length_weighted_by_norms(probed):
    lengths = measure_lengths(probed([SHORT]).probes["paths"]).set_index("moment")
    end = lengths.loc["end"]
    assert end["effective"] == pytest.approx((0 * 4 + 1 * 3 + 2 * 2 + 3 * 1) / 10)
    assert end["over"] == pytest.approx(1 - 4 / 2)
    assert (end["from"], end["to"]) == (0, 3)
    assert lengths.loc["initialisation", "effective"] == pytest.approx(3)
    assert lengths.loc["initialisation", "from"] == 1  # no norm at length 0


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        ([SHORT, [4.0, 3.0, 2.1, 1.0, 0.0]], Verdict.REPRODUCED),
        ([LONG, [0.0, 1.0, 2.1, 3.0, 4.0]], Verdict.CONTRADICTED),
        ([SHORT, LONG], Verdict.INCONCLUSIVE),
        ([SHORT], Verdict.NOT_TESTED),
    ],
)
def test_verdicts(probed, ends, verdict):
    explanation = build(probed(ends), 2.0)
    (claim,) = explanation.claims
    assert claim.verdict is verdict
    if verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
        assert (
            f"95 % {'upper' if verdict is Verdict.REPRODUCED else 'lower'} bound" in claim.decisive
        )
        assert "at initialisation 3.00" in claim.evidence[0]


def test_every_depth_counts(probed):
    frame = probed([SHORT, SHORT], depths=(20, 32))
    table = frame.probes["paths"].copy()
    at_32 = (table["depth"] == 32) & (table["moment"] == "end")
    table.loc[at_32, "sum_gradient"] = [*LONG, *LONG]
    (claim,) = build(replace(frame, probes={"paths": table}), 2.0).claims
    assert claim.verdict is Verdict.CONTRADICTED
    assert claim.decisive == (
        "worst case, 32 layers, 4 blocks: effective length minus n/2 = 2 is +1.00 blocks, 95 % lower bound"
        " (Holm, 2 together) +1.00"
    )
    assert len(claim.evidence) == 2


def ends_of(over):
    """Norms at lengths 0 and 4 alone, so that the effective length is 2 and so much more; three seeds, 0.1 apart."""
    return [
        [1 - (2 + one) / 4, 0.0, 0.0, 0.0, (2 + one) / 4] for one in (over - 0.1, over, over + 0.1)
    ]


# a standard error of 0.1 / sqrt(3) with 2 degrees of freedom: the bounds are 2.92 * 0.0577 = 0.169 away
@pytest.mark.parametrize(
    ("over", "verdict"),
    [
        (-0.17, Verdict.REPRODUCED),
        (-0.16, Verdict.INCONCLUSIVE),
        (0.16, Verdict.INCONCLUSIVE),
        (0.17, Verdict.CONTRADICTED),
    ],
)
def test_the_bound_decides_on_both_sides_of_zero(probed, over, verdict):
    assert build(probed(ends_of(over)), 2.0).claims[0].verdict is verdict


def test_one_of_several_depths_contradicts_only_by_more(probed):
    """+0.2 contradicts alone (p = 0.037); of two depths one has to be below 0.025: +0.25 is."""
    for over, verdict in ((0.2, Verdict.INCONCLUSIVE), (0.25, Verdict.CONTRADICTED)):
        frame = probed(ends_of(-1.0), depths=(20, 32))
        table = frame.probes["paths"].copy()
        at_32 = (table["depth"] == 32) & (table["moment"] == "end")
        table.loc[at_32, "sum_gradient"] = np.ravel(ends_of(over))
        assert build(replace(frame, probes={"paths": table}), 2.0).claims[0].verdict is verdict


def test_a_gradient_that_is_not_finite_is_told_and_never_reproduces(probed):
    broken = [4.0, nan, 2.0, 1.0, 0.0]
    (claim,) = build(probed([SHORT, SHORT, broken]), 2.0).claims
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert any("residual-d20-s2 is zero or not finite" in note for note in claim.notes)
    explanation = build(probed([SHORT, broken]), 2.0)
    assert explanation.claims[0].verdict is Verdict.NOT_TESTED
    assert explanation.table.set_index("iteration").loc[400, "runs_known"] == 1
    explanation = build(
        probed([[0.0] * 5, [nan] * 5]), 2.0
    )  # nothing is known at the end: the figure still draws
    assert explanation.claims[0].verdict is Verdict.NOT_TESTED


def test_the_figure_draws_numbers_norms_and_shares(probed):
    canvas = build(probed([SHORT, [8.0, 6.0, 4.0, 2.0, 0.0]], plain=True), 2.0).figures["paths"][0]
    count, one, total, depths = canvas.axes
    assert count.lines[0].get_ydata() == pytest.approx(np.array([1, 4, 6, 4, 1]) / 16)
    lines = {line.get_label(): line for line in one.lines}
    assert list(lines["end"].get_xdata()) == [0, 2, 3, 4]  # length 1 was not sampled
    assert lines["end"].get_ydata() == pytest.approx([1, 0.01, 0.001, 0.0001])
    lines = {line.get_label(): line for line in total.lines}
    assert lines["end"].get_ydata() == pytest.approx(
        np.array(SHORT) / 10
    )  # shares of both seeds alike
    assert lines["effective length, end"].get_xdata()[0] == pytest.approx(1)
    assert lines["$n/2$, the mean length"].get_xdata()[0] == pytest.approx(2)
    assert count.get_ylim() == total.get_ylim()
    shares = sorted(float(y) for points in depths.collections for _, y in points.get_offsets())
    assert shares == pytest.approx([0.25, 0.25, 0.75, 0.75])
