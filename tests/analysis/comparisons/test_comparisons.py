"""Which comparisons a report has, and what they add to it."""

import pandas as pd
import pytest

from analysis import comparisons
from analysis.comparisons import compare_conditions
from analysis.figures import style
from analysis.report import build
from analysis.terminal_summary import format_summary
from tests.support.comparisons import HIGH, LOW, PLAIN, constructed_frame

BOTH = {"plain": PLAIN, "residual": LOW}


def test_runs_of_one_condition_have_no_comparison(build_frame):
    assert compare_conditions(build_frame(BOTH), {"digits": 2.0}) == []


def test_key_that_varies_with_another_is_named(joined):
    """Nothing tells their effects apart, so no claim of the paper is judged."""
    frame = joined(
        ({"residual": LOW}, {"config.optim.lr": 0.1, "config.model.shortcut": "A"}),
        ({"residual": LOW}, {"config.optim.lr": 0.2, "config.model.shortcut": "B"}),
    )
    (comparison,) = compare_conditions(frame, {"digits": 2.0})
    assert comparison.introduction == (
        "With the shortcut vary: learning rate: 0.1 (shortcut A), 0.2 (shortcut B)."
    )
    assert "projections" not in {claim.name for claim in comparison.claims}


def test_key_that_only_measures_is_not_named(joined):
    """When a run is evaluated, and which of its weights are kept, does not change its training."""
    frame = joined(
        *(
            (
                BOTH,
                {
                    "config.model.width": width,
                    "config.schedule.evaluate_every": every,
                    "config.schedule.augmented_every": every,
                    "config.schedule.snapshots": f"[0, {every}]",
                },
            )
            for width, every in ((8, 100), (16, 200))
        )
    )
    (comparison,) = [
        comparison
        for comparison in compare_conditions(frame, {"digits": 2.0})
        if "width" in comparison.name
    ]
    assert comparison.introduction == ""


NEW_SECTION = """
from analysis.claim import Claim, Verdict
from analysis.comparisons.base import FactorSection

KEY = "config.model.width"


def judge(runs, margin):
    line = f"{runs[KEY].nunique()} widths"
    return [Claim("width helps", "wider networks train better", Verdict.INCONCLUSIVE, line)]


SECTION = FactorSection("Widths", "widths", "width (filters)", "By width.", judge)
"""


def test_claim_about_a_key_costs_one_file(joined, tmp_path, monkeypatch):
    (tmp_path / "width_of_a_test.py").write_text(NEW_SECTION)
    monkeypatch.setattr(comparisons, "__path__", [*comparisons.__path__, str(tmp_path)])
    frame = joined(
        ({"residual": LOW}, {"config.model.width": 16}),
        ({"residual": HIGH}, {"config.model.width": 32}),
    )
    (comparison,) = compare_conditions(frame, {"digits": 2.0})
    assert (comparison.title, comparison.name) == ("Widths", "widths")
    assert comparison.claims[0].decisive_line == "2 widths"
    assert comparison.table["model.width"].tolist() == [16, 16, 32, 32]


def compare_values(joined, key, errors_by_value):
    """Return one frame of {value of the key: errors by family and depth}."""
    return joined(*[(errors, {key: value}) for value, errors in errors_by_value.items()])


@pytest.mark.slow
def test_every_comparison_has_a_figure_and_a_table(build_frame, joined, tmp_path):
    style.apply()
    residual = {"residual": LOW}
    options = {"none": {"plain": PLAIN}, "A": residual, "C": residual}
    orders = {"post": BOTH, "pre": {"preactivation": LOW}}
    frames = {
        "shortcuts": compare_values(joined, "config.model.shortcut", options),
        "learning-rate": compare_values(joined, "config.optim.lr", {0.01: BOTH, 0.1: BOTH}),
        "longer": compare_values(joined, "config.schedule.iterations", {400: BOTH, 1200: BOTH}),
        "order": compare_values(joined, "config.model.order", orders),
        "construction": constructed_frame(build_frame, {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}),
    }
    for name, frame in frames.items():
        (comparison,) = compare_conditions(frame, {"digits": 2.0})
        assert name in comparison.figures
        assert len(comparison.table) >= 4
    report = build(frames["construction"], tmp_path, "mine", "", {"digits": 2.0})
    assert (tmp_path / "construction.png").stat().st_size > 10_000
    assert len(pd.read_csv(tmp_path / "construction.csv")) == len(comparison.table)
    assert "Training from scratch misses it" in report.page.read_text()
    assert "The solution by construction" in format_summary(report).splitlines()
