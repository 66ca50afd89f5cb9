"""Shattered gradients: the decrease with depth, the lead of residual networks, and the figure."""

import math
from dataclasses import replace

import pytest

from analysis.claim import Verdict
from analysis.figures import shattering as figures
from analysis.figures import style
from analysis.mechanisms import shattering
from tests.support.drawings import heights_by_label, point_heights
from tests.support.probe_tables import shattering_table

SHATTERED = {"plain": {8: 0.8, 14: 0.5, 20: 0.1}, "residual": {8: 0.95, 14: 0.9, 20: 0.85}}


@pytest.fixture
def explain(build_frame):
    style.apply()

    def explain_table(table):
        errors = {depth: [1.0] * 3 for depth in sorted(set(table["depth"]))}
        frame = build_frame({"plain": errors, "residual": errors})
        return shattering.build(replace(frame, probes={"shattering": table}), 2.0)

    return explain_table


def test_decrease_and_lead_reproduce_the_claim(explain):
    explanation = explain(shattering_table(SHATTERED))
    (claim,) = explanation.claims
    assert claim.verdict is Verdict.REPRODUCED
    decrease, lead = claim.decisive_line.split("; ")
    assert decrease.startswith("plain, 20 minus 8 layers: -0.7000, 95 % upper bound -0.68")
    assert decrease.endswith("decreasing trend p = 0.0007")  # exactly 3! 3! 3! / 9! = 0.0006
    assert claim.decisive_line.endswith("(correlation: 1 identical, 0 white noise)")
    assert lead.startswith(
        "residual minus plain, worst case, 8 layers: +0.1500, 95 % lower bound +0.13"
    )
    assert claim.evidence[-1].startswith(
        "20 layers: 0.100 plain, 0.850 residual; residual minus plain +0.7500"
    )
    assert claim.notes == []
    row = explanation.table.set_index(["family", "depth", "time_point"]).loc[
        ("plain", 20, "initialisation")
    ]
    assert row[["distance", "correlation"]].tolist() == pytest.approx([0.1, 0.1])
    # The half-width is 4.30 * 0.01 / sqrt(3).
    assert row[["low", "high"]].tolist() == pytest.approx([0.0752, 0.1248], abs=1e-4)


@pytest.mark.parametrize(
    ("means", "decisive_line"),
    [
        (
            SHATTERED | {"residual": {8: 0.7, 14: 0.9, 20: 0.85}},
            "residual minus plain, worst case, 8 layers: -0.1000",
        ),
        (SHATTERED | {"plain": {8: 0.1, 14: 0.5, 20: 0.8}}, "plain, 20 minus 8 layers: +0.7000"),
    ],
)
def test_either_part_can_contradict(explain, means, decisive_line):
    (claim,) = explain(shattering_table(means)).claims
    assert claim.verdict is Verdict.CONTRADICTED
    assert claim.decisive_line.startswith(decisive_line)
    assert "; " not in claim.decisive_line


@pytest.mark.parametrize(
    ("lead", "outcome"),
    [(0.15, "reproduced"), (0.03, "negligible"), (-0.03, "negligible"), (-0.15, "contradicted")],
)
def test_small_lead_is_negligible(explain, lead, outcome):
    """Its sign is clear, but 0.03 of a correlation of 1 does not matter."""
    plain = {8: 0.7, 14: 0.5, 20: 0.2}
    residual = {depth: mean + lead for depth, mean in plain.items()}
    (claim,) = explain(shattering_table({"plain": plain, "residual": residual})).claims
    assert claim.outcome == outcome
    assert claim.plain_words.startswith(
        "The similarity of neighbouring gradients (1: identical) changes"
    )
    assert f"shortcuts add {lead:+.2f} or more" in claim.plain_words


# Each difference has a standard error of 0.01 sqrt(2 / 3) = 0.00816 with 4 degrees of freedom. A
# bound alone is 0.0174 away, one of four (three differences and the trend) 3.495 * 0.00816 =
# 0.0285.
@pytest.mark.parametrize(
    ("lead", "verdict"),
    [
        (0.018, Verdict.REPRODUCED),
        (0.017, Verdict.INCONCLUSIVE),
        (-0.028, Verdict.INCONCLUSIVE),
        (-0.029, Verdict.CONTRADICTED),
    ],
)
def test_bounds_of_the_lead_decide_on_both_sides(explain, lead, verdict):
    (claim,) = explain(
        shattering_table(SHATTERED | {"residual": {8: 0.8 + lead, 14: 0.9, 20: 0.85}})
    ).claims
    assert claim.verdict is verdict
    if verdict is Verdict.CONTRADICTED:
        assert "95 % upper bound (Holm, 4 bounds) -0.0005" in claim.decisive_line


@pytest.mark.parametrize(
    ("rise", "verdict"),
    [
        (-0.018, Verdict.REPRODUCED),
        (-0.017, Verdict.INCONCLUSIVE),
        (0.0257, Verdict.INCONCLUSIVE),
        (0.0263, Verdict.CONTRADICTED),
    ],
)
def test_bounds_of_the_decrease_decide_on_both_sides(explain, rise, verdict):
    """With two depths the difference is the trend; one of three bounds is 0.0260 away."""
    (claim,) = explain(
        shattering_table({"plain": {8: 0.3, 14: 0.3 + rise}, "residual": {8: 0.9, 14: 0.9}})
    ).claims
    assert claim.verdict is verdict
    if verdict is Verdict.CONTRADICTED:
        assert (
            "14 minus 8 layers: +0.0263, 95 % lower bound (Holm, 3 bounds) +0.0003"
            in claim.decisive_line
        )


def test_decrease_without_a_trend_is_inconclusive(explain):
    """The deepest is below the shallowest, but the depth between is above both."""
    (claim,) = explain(shattering_table(SHATTERED | {"plain": {8: 0.5, 14: 0.8, 20: 0.4}})).claims
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.decisive_line.startswith(
        "plain, 20 minus 8 layers: -0.1000, 95 % upper bound -0.08"
    )
    assert "residual minus plain" not in claim.decisive_line


@pytest.mark.parametrize(
    "means",
    [
        SHATTERED | {"residual": {8: 0.8, 14: 0.9, 20: 0.85}},  # no lead at 8 layers
        SHATTERED | {"plain": {8: 0.5, 14: 0.5, 20: 0.5}},  # no decrease
    ],
)
def test_one_missing_part_is_inconclusive(explain, means):
    assert explain(shattering_table(means)).claims[0].verdict is Verdict.INCONCLUSIVE


def test_correlation_of_nan_is_named_and_inconclusive(explain):
    table = shattering_table(SHATTERED)
    table.loc[(table["run_id"] == "plain-d14-s1") & (table["distance"] == 0.1), "correlation"] = (
        math.nan
    )
    (claim,) = explain(table).claims
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.notes == [
        "not finite in 1 run, so the bounds that depend on it are unknown: plain-d14-s1"
    ]


def test_too_few_seeds_depths_or_families_are_not_tested(explain):
    for table in (
        shattering_table(SHATTERED, seeds=1),
        shattering_table({"plain": {8: 0.8}, "residual": {8: 0.9}}),
        shattering_table({"plain": {8: 0.8}}),
    ):
        explanation = explain(table)
        assert explanation.claims[0].verdict is Verdict.NOT_TESTED
        explanation.figures["shattering"][0].canvas.draw()


def test_without_probe_there_is_no_explanation(build_frame):
    assert shattering.build(build_frame({"plain": {8: [1.0]}}), 2.0) is None


def test_figure_draws_correlations_and_their_start():
    style.apply()
    table = shattering_table(SHATTERED)
    values = shattering.select_nearest(table)
    axes = figures.plot(table, values[values["time_point"] == "initialisation"]).axes
    assert [ax.get_title() for ax in axes[:2]] == ["plain networks", "residual networks"]
    plain, at_end, start = axes[0], axes[2], axes[4]
    # 20 layers, short distances only
    assert plain.lines[2].get_xdata() == pytest.approx([0, 0.1, 0.2])
    assert plain.lines[2].get_ydata() == pytest.approx([1, 0.1, 0.05])
    assert at_end.lines[0].get_ydata() == pytest.approx([1, 0.9, 0.9])
    assert plain.lines[3].get_ydata() == pytest.approx([0, 0])  # white noise
    assert len({ax.get_ylim() for ax in axes}) == 1
    lines = heights_by_label(start)
    assert lines["plain"] == pytest.approx([0.8, 0.5, 0.1])
    assert lines["residual"] == pytest.approx([0.95, 0.9, 0.85])
    assert point_heights(start)[:3] == pytest.approx([0.09, 0.1, 0.11])
