"""The gradient equations, exact to rounding or not, and the shortcut's share of the gradient."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Check, Verdict
from analysis.figures import gradient_identity as figures
from analysis.figures import style
from analysis.mechanisms import gradient_identity
from tests.support.probe_tables import identity_table


@pytest.fixture
def explain(build_frame):
    style.apply()

    def explain_table(table):
        frame = build_frame({"plain": {8: [1.0, 1.0]}, "residual": {8: [1.0, 1.0], 14: [1.0, 1.0]}})
        return gradient_identity.build(replace(frame, probes={"identity": table}), 2.0)

    return explain_table


@pytest.mark.parametrize(
    ("difference", "outcome"), [(9e-11, "holds"), (1.1e-10, "FAILS"), (math.nan, "not known")]
)
def test_identity_is_a_check_not_a_claim(explain, difference, outcome):
    table = identity_table()
    table.loc[5, "relative_difference"] = difference
    (check,) = explain(table).claims
    assert isinstance(check, Check)
    assert check.name == "check: the identity"
    assert check.outcome == outcome


def test_equality_to_rounding_is_reproduced(explain):
    table = identity_table()
    table.loc[3, "relative_difference"] = 2e-14
    (claim,) = explain(table).claims
    assert claim.verdict is Verdict.REPRODUCED
    assert claim.decisive_line == (
        "largest relative difference between the two sides 2.0e-14 (limit 1e-10), over 54"
        " equations in 4 runs"
    )
    assert claim.evidence[:2] == [
        "blocks that keep the shape: at most 2.0e-14, 42 equations",
        "blocks that change the shape: at most 1.0e-15, 12 equations",
    ]
    assert claim.evidence[2].endswith("initialisation 36 %, iteration 200 46 %, end 56 %")
    assert claim.notes == []


def test_one_unequal_equation_contradicts(explain):
    table = identity_table()
    table.loc[5, "relative_difference"] = 1.1e-10
    assert explain(table).claims[0].verdict is Verdict.CONTRADICTED


def test_equation_without_difference_is_inconclusive(explain):
    table = identity_table()
    table.loc[5, ["relative_difference", "shortcut_share"]] = math.nan
    (claim,) = explain(table).claims
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "unknown for 1 of them" in claim.decisive_line
    assert claim.notes == [
        "not finite in 1 run, so the bounds that depend on it are unknown: residual-d8-s0",
    ]


def test_check_needs_no_second_seed(explain):
    explanation = explain(identity_table(seeds=1))
    assert explanation.claims[0].verdict is Verdict.REPRODUCED
    assert explanation.claims[0].notes == [
        "2 of 4 runs lack this probe: residual-d8-s1 (done), residual-d14-s1 (done)",
    ]


def test_stage_equations_are_reported_apart(explain):
    table = identity_table()
    stage = table[table["block"] == 2].assign(
        form="stage", shape_change=False, relative_difference=4e-13
    )
    explanation = explain(pd.concat([table, stage]))
    assert (
        "from a block to the end of its stage: at most 4.0e-13, 12 equations"
        in explanation.claims[0].evidence
    )
    assert set(explanation.table["form"]) == {"block", "stage"}


def test_without_residual_probe_there_is_no_explanation(explain, build_frame):
    assert gradient_identity.build(build_frame({"plain": {8: [1.0]}}), 2.0) is None
    assert explain(identity_table(family="plain")) is None


def test_figure_draws_terms_relative_to_the_gradient():
    fig = figures.plot_terms(identity_table(depths=(8, 14, 20, 32, 44)))
    axes = np.array(fig.axes).reshape(2, 3)
    assert [ax.get_title() for ax in axes[0]] == ["8 layers", "20 layers", "44 layers"]
    assert [ax.get_ylabel().split("\n")[0] for ax in axes[:, 0]] == ["initialisation", "end"]
    for ax in axes.flat:
        shortcut, convolutions = ax.lines
        assert shortcut.get_ydata() == pytest.approx(0.6)
        assert convolutions.get_ydata() == pytest.approx(0.8)
        assert [patch.get_x() for patch in ax.patches] == [1.5]  # block 2 changes the shape
    assert axes[0, 0].lines[0].get_xdata().tolist() == [1, 2, 3]


def test_share_is_drawn_at_first_and_last_time_point(explain):
    values = gradient_identity.measure_shares(identity_table())
    (ax,) = figures.plot_share(values, "residual").axes
    lines = {
        line.get_label(): line.get_ydata()
        for line in ax.lines
        if not line.get_label().startswith("_")
    }
    assert set(lines) == {"initialisation", "end"}
    assert lines["initialisation"] == pytest.approx([0.36, 0.36])
    assert lines["end"] == pytest.approx([0.56, 0.56])


def test_single_run_is_drawn(explain):
    explanation = explain(identity_table(depths=(8,), seeds=1))
    assert set(explanation.figures) == {"identity", "shortcut-share"}
    for fig, _ in explanation.figures.values():
        fig.canvas.draw()
