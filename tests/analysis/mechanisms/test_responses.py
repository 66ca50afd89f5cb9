"""Layer responses: plain against residual, the decrease with depth, and the figure."""

import math
from dataclasses import replace

import pytest

from analysis.claim import Verdict
from analysis.figures import responses as figures
from analysis.figures import style
from analysis.mechanisms import responses
from analysis.mechanisms.base import KNOWN_VALUES
from tests.support.drawings import heights_by_label
from tests.support.probe_tables import responses_table

WEAK = {"plain": {8: 1.0, 14: 1.0, 20: 1.0}, "residual": {8: 0.8, 14: 0.6, 20: 0.4}}


@pytest.fixture
def explain(build_frame):
    style.apply()

    def explain_table(table, errors=None):
        ones = {depth: [1.0] * 3 for depth in (8, 14, 20)}
        frame = build_frame({"plain": ones, "residual": ones} | (errors or {}))
        frame = frame.select(frame.runs.index[frame.runs["run_id"].isin(table["run_id"])])
        return responses.build(replace(frame, probes={"responses": table}), 2.0)

    return explain_table


def verdicts(explanation):
    return {claim.name: claim.verdict for claim in explanation.claims}


def test_weak_responses_reproduce_both_claims(explain):
    explanation = explain(responses_table(WEAK))
    assert set(verdicts(explanation).values()) == {Verdict.REPRODUCED}
    weaker, deeper = explanation.claims
    assert weaker.decisive_line.startswith(
        "plain minus residual, worst case, 8 layers: +0.2000, 95 % lower bound +0.18"
    )
    assert deeper.decisive_line.startswith("20 minus 8 layers: -0.4000, 95 % upper bound -0.38")
    assert (
        deeper.evidence[-1]
        == "means over seeds: 8 layers: 0.8000, 14 layers: 0.6000, 20 layers: 0.4000"
    )
    row = explanation.table.set_index(["family", "depth"]).loc[("residual", 20)]
    assert (row["std_initialisation"], row["std_end"]) == pytest.approx((1.0, 0.4))
    assert (row["std_end_min"], row["std_end_max"]) == pytest.approx((0.39, 0.41))


def test_one_depth_with_weaker_plain_contradicts(explain):
    means = {"plain": {8: 1.0, 14: 1.0}, "residual": {8: 0.5, 14: 1.2}}
    explanation = explain(responses_table(means))
    assert set(verdicts(explanation).values()) == {Verdict.CONTRADICTED}
    assert explanation.claims[0].decisive_line.startswith(
        "plain minus residual, worst case, 14 layers: -0.2000, 95 % upper"
    )
    assert explanation.claims[1].decisive_line.startswith(
        "14 minus 8 layers: +0.7000, 95 % lower bound"
    )


@pytest.mark.parametrize("difference", [0.0, 0.002, -0.002])
def test_negligible_difference_contradicts(explain, difference):
    """Even if it is certainly not 0, because the claims are about a size."""
    table = responses_table(
        {"plain": {8: 1.0, 14: 1.0}, "residual": {8: 1.0 - difference, 14: 1.0 - 2 * difference}}
    )
    explanation = explain(table)
    assert set(verdicts(explanation).values()) == {Verdict.CONTRADICTED}
    weaker, deeper = explanation.claims
    assert weaker.decisive_line.endswith("(margin 0.05): negligible")
    assert deeper.decisive_line.endswith("(margin 0.05): negligible")


# The difference of two means of three seeds has a standard error of 0.01 sqrt(2 / 3) = 0.00816 with
# 4 degrees of freedom, and a one-sided 95 % bound is 2.13 * 0.00816 = 0.0174 away.
AROUND_THE_MARGIN = [
    (0.068, Verdict.REPRODUCED), (0.067, Verdict.INCONCLUSIVE), (0.033, Verdict.INCONCLUSIVE),
    (0.032, Verdict.CONTRADICTED), (-0.2, Verdict.CONTRADICTED),
]  # fmt: skip


@pytest.mark.parametrize(("difference", "verdict"), AROUND_THE_MARGIN)
def test_bounds_decide_on_both_sides_of_the_margin(explain, difference, verdict):
    claim = explain(responses_table({"plain": {8: 1.0}, "residual": {8: 1.0 - difference}})).claims[
        0
    ]
    assert claim.verdict is verdict
    assert claim.decisive_line.endswith("the difference has the opposite sign") == (difference < 0)


@pytest.mark.parametrize(("difference", "verdict"), AROUND_THE_MARGIN)
def test_bounds_of_the_decrease_decide_on_both_sides(explain, difference, verdict):
    claim = explain(responses_table({"residual": {8: 1.0, 14: 1.0 - difference}})).claims[1]
    assert claim.verdict is verdict
    assert claim.decisive_line.endswith("the difference has the opposite sign") == (difference < 0)


def test_negligible_is_shown_by_both_bounds(explain):
    """Bounds are 0.0174 from the mean, so -0.03 is negligible, and -0.04 may be beyond -0.05."""
    for difference, outcome in ((-0.03, "negligible"), (-0.04, "contradicted")):
        table = responses_table({"plain": {8: 1.0}, "residual": {8: 1.0 - difference}})
        assert explain(table).claims[0].outcome == outcome


def test_unknown_response_gives_no_number(explain):
    unknown = {8: 1.0, 14: math.nan}
    for claim in explain(
        responses_table({"plain": {8: 2.0, 14: math.nan}, "residual": unknown})
    ).claims:
        assert claim.verdict is Verdict.INCONCLUSIVE
        assert claim.plain_words.startswith("Not known: ")
        assert claim.remedy == KNOWN_VALUES
        assert "nan" not in claim.decisive_line


def test_several_depths_need_more_to_contradict(explain):
    """At one depth 0.032 contradicts (p = 0.046); two depths need p < 0.025, which 0.02 has."""
    for difference, verdict in ((0.032, Verdict.INCONCLUSIVE), (0.02, Verdict.CONTRADICTED)):
        claim = explain(
            responses_table({"plain": {8: 1.0, 14: 1.0}, "residual": {8: 0.5, 14: 1 - difference}})
        ).claims[0]
        assert claim.verdict is verdict
    assert (
        "worst case, 14 layers: +0.0200, 95 % upper bound (Holm, 2 bounds)" in claim.decisive_line
    )


def test_decrease_without_a_trend_is_inconclusive(explain):
    """The deepest is below the shallowest, but the depth between is above both."""
    means = WEAK | {"residual": {8: 0.5, 14: 0.9, 20: 0.4}}
    assert (
        verdicts(explain(responses_table(means)))["weaker responses with depth"]
        is Verdict.INCONCLUSIVE
    )


def test_one_seed_is_not_tested(explain):
    explanation = explain(responses_table(WEAK, seeds=1))
    assert set(verdicts(explanation).values()) == {Verdict.NOT_TESTED}
    explanation.figures["responses"][0].canvas.draw()


def test_one_family_is_not_tested(explain):
    explanation = explain(responses_table({"residual": {8: 0.8}}))
    assert [claim.decisive_line for claim in explanation.claims] == [
        "needs 1 depth of probed plain and residual networks, has 0",
        "needs 2 depths of probed residual networks, has 1",
    ]
    explanation.figures["responses"][0].canvas.draw()


def test_response_of_nan_is_named(explain):
    table = responses_table(WEAK)
    is_unknown = (
        (table["run_id"] == "residual-d14-s0")
        & (table["time_point"] == "end")
        & (table["layer"] == 1)
    )
    table.loc[is_unknown, "deviation"] = math.nan
    explanation = explain(table)
    assert set(verdicts(explanation).values()) == {Verdict.INCONCLUSIVE}
    assert all("residual-d14-s0" in claim.notes[0] for claim in explanation.claims)
    assert "worst case, 14 layers" in explanation.claims[0].decisive_line


def test_untrained_runs_count_and_are_noted(explain):
    weaker, deeper = explain(
        responses_table(WEAK), {"plain": {8: [1.0] * 3, 14: [1.0] * 3, 20: [90.0, 89.0, 50.0]}}
    ).claims
    assert weaker.notes == [
        "2 of 3 runs of plain-20 are no better than chance (within 2 points of it) and are included"
    ]
    assert deeper.notes == []


def test_without_3x3_layers_there_is_no_explanation(explain, build_frame):
    assert responses.build(build_frame({"plain": {8: [1.0]}}), 2.0) is None
    assert explain(responses_table(WEAK, kernel=7)) is None


def test_figure_draws_layers_in_order_sorted_and_means():
    table = responses_table(WEAK)
    table = table[(table["kernel"] == 3) & (table["time_point"] == "end")]
    axes = figures.plot(table, responses.average_layers(table)).axes
    assert [ax.get_title() for ax in axes[:2]] == ["plain networks", "residual networks"]
    ordered, magnitude, means = axes[1], axes[3], axes[4]
    assert ordered.lines[2].get_ydata() == pytest.approx([0.36, 0.44])  # 20 layers, in order
    assert magnitude.lines[2].get_ydata() == pytest.approx([0.44, 0.36])
    assert magnitude.lines[2].get_xdata().tolist() == [1, 2]
    assert heights_by_label(means)["residual"] == pytest.approx([0.8, 0.6, 0.4])


def test_exploded_responses_have_a_logarithmic_scale():
    table = responses_table({"plain": {8: 1.0, 14: 1000.0}, "residual": {8: 0.8, 14: 0.7}})
    table = table[(table["kernel"] == 3) & (table["time_point"] == "end")]
    axes = figures.plot(table, responses.average_layers(table)).axes
    assert [ax.get_yscale() for ax in axes] == ["log"] * 5 + ["linear"]
    assert heights_by_label(axes[5])["residual"] == pytest.approx([0.8, 0.7])
