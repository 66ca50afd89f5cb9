"""Layer responses: plain against residual, and the fall over depth."""

import math
from dataclasses import replace

import pytest

from analysis.claim import Verdict
from analysis.figures import responses as figures
from analysis.figures import style
from analysis.mechanisms import responses
from tests.support.probe_tables import responses_table

WEAK = {"plain": {8: 1.0, 14: 1.0, 20: 1.0}, "residual": {8: 0.8, 14: 0.6, 20: 0.4}}


@pytest.fixture
def explained(frame_of):
    style.apply()

    def made(table, errors=None):
        families = {
            family: {depth: [1.0] * 3 for depth in (8, 14, 20)} for family in ("plain", "residual")
        }
        frame = frame_of(families | (errors or {}))
        frame = frame.select(frame.runs.index[frame.runs["run_id"].isin(table["run_id"])])
        return responses.build(replace(frame, probes={"responses": table}), 2.0)

    return made


def verdicts(explanation):
    return {claim.name: claim.verdict for claim in explanation.claims}


def test_weaker_than_plain_and_weaker_with_depth(explained):
    explanation = explained(responses_table(WEAK))
    assert set(verdicts(explanation).values()) == {Verdict.REPRODUCED}
    weaker, deeper = explanation.claims
    assert weaker.decisive.startswith(
        "plain minus residual, worst case, 8 layers: +0.2000, 95 % lower bound +0.18"
    )
    assert deeper.decisive.startswith("20 minus 8 layers: -0.4000, 95 % upper bound -0.38")
    assert (
        deeper.evidence[-1]
        == "means over seeds: 8 layers: 0.8000, 14 layers: 0.6000, 20 layers: 0.4000"
    )
    row = explanation.table.set_index(["family", "depth"]).loc[("residual", 20)]
    assert (row["deviation_initialisation"], row["deviation_end"]) == pytest.approx((1.0, 0.4))
    assert (row["deviation_end_least"], row["deviation_end_most"]) == pytest.approx((0.39, 0.41))


def test_one_depth_at_which_plain_is_weaker_contradicts(explained):
    means = {"plain": {8: 1.0, 14: 1.0}, "residual": {8: 0.5, 14: 1.2}}
    explanation = explained(responses_table(means))
    assert set(verdicts(explanation).values()) == {Verdict.CONTRADICTED}
    assert explanation.claims[0].decisive.startswith(
        "plain minus residual, worst case, 14 layers: -0.2000, 95 % upper"
    )
    assert explanation.claims[1].decisive.startswith("14 minus 8 layers: +0.7000, 95 % lower bound")


@pytest.mark.parametrize("difference", [0.0, 0.002, -0.002])
def test_a_difference_that_is_surely_small_contradicts(explained, difference):
    """Also one that is surely there: the claims are about a size."""
    table = responses_table(
        {"plain": {8: 1.0, 14: 1.0}, "residual": {8: 1.0 - difference, 14: 1.0 - 2 * difference}}
    )
    explanation = explained(table)
    assert set(verdicts(explanation).values()) == {Verdict.CONTRADICTED}
    weaker, deeper = explanation.claims
    assert weaker.decisive.endswith("(margin 0.05): negligible")
    assert deeper.decisive.endswith("(margin 0.05): negligible")


# the difference of two means of three seeds has a standard error of 0.01 sqrt(2 / 3) = 0.00816 with 4 degrees of
# freedom: the one-sided 95 % bounds are 2.13 * 0.00816 = 0.0174 away
AROUND_THE_MARGIN = [
    (0.068, Verdict.REPRODUCED), (0.067, Verdict.INCONCLUSIVE), (0.033, Verdict.INCONCLUSIVE),
    (0.032, Verdict.CONTRADICTED), (-0.2, Verdict.CONTRADICTED),
]  # fmt: skip


@pytest.mark.parametrize(("difference", "verdict"), AROUND_THE_MARGIN)
def test_weaker_by_the_margin_from_both_sides(explained, difference, verdict):
    claim = explained(
        responses_table({"plain": {8: 1.0}, "residual": {8: 1.0 - difference}})
    ).claims[0]
    assert claim.verdict is verdict
    assert claim.decisive.endswith("the other way round") == (difference < 0)


@pytest.mark.parametrize(("difference", "verdict"), AROUND_THE_MARGIN)
def test_weaker_with_depth_by_the_margin_from_both_sides(explained, difference, verdict):
    claim = explained(responses_table({"residual": {8: 1.0, 14: 1.0 - difference}})).claims[1]
    assert claim.verdict is verdict
    assert claim.decisive.endswith("the other way round") == (difference < 0)


def test_one_of_several_depths_contradicts_only_by_more(explained):
    """0.032 contradicts alone (p = 0.046); of two depths one has to be below 0.025: 0.02 is."""
    for difference, verdict in ((0.032, Verdict.INCONCLUSIVE), (0.02, Verdict.CONTRADICTED)):
        claim = explained(
            responses_table({"plain": {8: 1.0, 14: 1.0}, "residual": {8: 0.5, 14: 1 - difference}})
        ).claims[0]
        assert claim.verdict is verdict
    assert "worst case, 14 layers: +0.0200, 95 % upper bound (Holm, 2 together)" in claim.decisive


def test_a_bound_without_a_trend_is_inconclusive(explained):
    """From three depths on: deepest below shallowest, and the one between above both."""
    means = WEAK | {"residual": {8: 0.5, 14: 0.9, 20: 0.4}}
    assert verdicts(explained(responses_table(means)))["weaker with depth"] is Verdict.INCONCLUSIVE


def test_one_seed_is_not_tested(explained):
    explanation = explained(responses_table(WEAK, seeds=1))
    assert set(verdicts(explanation).values()) == {Verdict.NOT_TESTED}
    explanation.figures["responses"][0].canvas.draw()


def test_one_family_is_not_compared(explained):
    explanation = explained(responses_table({"residual": {8: 0.8}}))
    assert [claim.decisive for claim in explanation.claims] == [
        "needs 1 depth of probed plain and residual nets, has 0",
        "needs 2 depths of probed residual nets, has 1",
    ]
    explanation.figures["responses"][0].canvas.draw()


def test_a_response_that_is_not_finite_is_told(explained):
    table = responses_table(WEAK)
    lost = (
        (table["run_id"] == "residual-d14-s0") & (table["moment"] == "end") & (table["layer"] == 1)
    )
    table.loc[lost, "deviation"] = math.nan
    explanation = explained(table)
    assert set(verdicts(explanation).values()) == {Verdict.INCONCLUSIVE}
    assert all("residual-d14-s0" in claim.notes[0] for claim in explanation.claims)
    assert "worst case, 14 layers" in explanation.claims[0].decisive


def test_untrained_runs_count_and_are_told(explained):
    weaker, deeper = explained(
        responses_table(WEAK), {"plain": {8: [1.0] * 3, 14: [1.0] * 3, 20: [90.0, 89.0, 50.0]}}
    ).claims
    assert weaker.notes == [
        "2 of 3 runs of plain-20 are untrained (within 2 points of chance) and are included"
    ]
    assert deeper.notes == []


def test_without_3x3_layers_or_the_table_there_is_no_part(explained, frame_of):
    assert responses.build(frame_of({"plain": {8: [1.0]}}), 2.0) is None
    assert explained(responses_table(WEAK, kernel=7)) is None


def test_the_figure_draws_layers_in_order_sorted_and_their_means():
    table = responses_table(WEAK)
    table = table[(table["kernel"] == 3) & (table["moment"] == "end")]
    axes = figures.plot(table, responses.average_layers(table)).axes
    assert [ax.get_title() for ax in axes[:2]] == ["plain", "residual"]
    ordered, magnitude, means = axes[1], axes[3], axes[4]
    assert ordered.lines[2].get_ydata() == pytest.approx([0.36, 0.44])  # 20 layers, in order
    assert magnitude.lines[2].get_ydata() == pytest.approx([0.44, 0.36])
    assert magnitude.lines[2].get_xdata().tolist() == [1, 2]
    drawn = {line.get_label(): line.get_ydata() for line in means.lines}
    assert drawn["residual"] == pytest.approx([0.8, 0.6, 0.4])


def test_exploded_responses_are_drawn_on_a_logarithmic_scale_and_the_residual_nets_once_more():
    table = responses_table({"plain": {8: 1.0, 14: 1000.0}, "residual": {8: 0.8, 14: 0.7}})
    table = table[(table["kernel"] == 3) & (table["moment"] == "end")]
    axes = figures.plot(table, responses.average_layers(table)).axes
    assert [ax.get_yscale() for ax in axes] == ["log"] * 5 + ["linear"]
    (alone,) = (line for line in axes[5].lines if line.get_label() == "residual")
    assert alone.get_ydata() == pytest.approx([0.8, 0.7])
