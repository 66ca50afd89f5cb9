"""Panels refuse runs that differ in more than they show, and accept what a report averages."""

import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from analysis import plot
from analysis.tables import load_curves, load_probes, load_runs
from degradation.config.composition import CONF
from degradation.errors import UserError

LEDGER = CONF.parent / "experiments/ledger"
LEARNING_RATES = LEDGER / "learning_rate_digits/records.zip"
QUICK = LEDGER / "quick/records.zip"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def rate_runs():
    return load_runs(LEARNING_RATES)


def suggested_query(error):
    return re.search(r'\.query\("(.*?)"\)', str(error.value))[1]


def test_mixed_learning_rates_are_refused(rate_runs):
    message = r"^runs: differ in optim\.lr \(0\.003, 0\.01, 0\.03, 0\.1\), and would be averaged; "
    with pytest.raises(UserError, match=message) as error:
        plot.error_against_depth(rate_runs)
    selected = rate_runs.query(suggested_query(error))
    assert set(selected["optim.lr"]) == {0.003}
    plot.error_against_depth(selected)
    assert 'error_against(runs, "optim.lr")' in str(error.value)


@pytest.mark.parametrize("key", ["depth", "seed", "seconds"])
def test_only_the_drawn_key_is_free(rate_runs, key):
    plot.error_against(rate_runs, "optim.lr")
    with pytest.raises(UserError, match=r"^runs: differ in optim\.lr "):
        plot.error_against(rate_runs, key)


def test_other_keys_are_not_averaged_at_a_value():
    runs = load_runs(LEDGER / "width_digits/records.zip")
    plot.error_against(runs, "model.width")
    plot.error_against(runs, "parameters")  # follows from depth and width
    two = pd.concat([runs, runs.assign(**{"optim.lr": 0.5, "run_id": "x" + runs["run_id"]})])
    with pytest.raises(UserError, match=r"^runs: differ in optim\.lr \(.*, 0\.5\), "):
        plot.error_against(two, "model.width")


def test_keys_that_follow_from_the_drawn_key_are_free():
    runs = load_runs(LEDGER / "optimizer_digits/records.zip")
    assert runs["optim.lr"].nunique() > 1
    plot.error_against(runs, "optim.name")


def test_shortcuts_are_averaged_neither_nor_lost():
    runs = load_runs(LEDGER / "shortcuts_digits/records.zip")
    message = r"^runs: differ in model\.shortcut \(A, B, C\), "
    with pytest.raises(UserError, match=message) as error:
        plot.error_against_depth(runs)
    selected = runs.query(suggested_query(error))
    assert set(selected["model.shortcut"]) == {"none", "A"}
    plot.error_against_depth(selected)


def test_data_sets_and_widths_are_both_named(rate_runs):
    runs = rate_runs[rate_runs["optim.lr"] == 0.1]
    other = runs.assign(
        **{
            "data.name": "own",
            "data.content": "abc",
            "model.width": 4,
            "run_id": runs["run_id"] + "x",
        }
    )
    message = r"^runs: differ in data\.name \(digits, own\), "
    with pytest.raises(UserError, match=message):
        plot.error_against_depth(pd.concat([runs, other]))
    third = other.assign(**{"model.width": 8, "run_id": runs["run_id"] + "y"})
    message = r"differ in data\.name \(digits, own\) and model\.width \(4, 8, 16\), "
    with pytest.raises(UserError, match=message):
        plot.error_against_depth(pd.concat([runs, other, third]))


def test_what_does_not_change_the_numbers_is_free():
    runs = load_runs(QUICK)
    devices = ["cpu" if row % 2 else "cuda" for row in range(len(runs))]
    threads = [1 + row % 2 for row in range(len(runs))]
    plot.error_against_depth(runs.assign(device=devices, threads=threads))


def test_published_families_are_drawn_together():
    for name in ("construction_digits", "preactivation_digits"):
        plot.error_against_depth(load_runs(LEDGER / name / "records.zip"))


def test_unfinished_runs_with_other_settings_are_free(rate_runs):
    state = rate_runs["state"].where(rate_runs["optim.lr"] == 0.1, "partial")
    plot.error_against_depth(rate_runs.assign(state=state))


def test_curves_of_several_settings_are_refused():
    curves = load_curves(LEARNING_RATES)
    with pytest.raises(UserError, match=r"^curves: differ in optim\.lr ") as error:
        plot.error_against_iteration(curves)
    plot.error_against_iteration(curves.query(suggested_query(error)))
    quick = load_curves(QUICK)
    joined = pd.concat([quick, curves[curves["optim.lr"] == 0.1]])
    with pytest.raises(UserError, match=r"^curves: differ in optim\.lr \(0\.01, 0\.1\), "):
        plot.error_against_iteration(joined)
    plot.error_against_iteration(pd.concat([quick, quick]))  # the same runs, loaded twice
    with pytest.raises(UserError, match=r"^curves: lacks the columns optim\.lr; allowed: "):
        plot.error_against_iteration(curves.drop(columns="optim.lr"))


def test_probes_of_several_settings_are_refused():
    flow = load_probes(QUICK, "gradient_flow")
    plot.gradient_flow(flow, family="plain")
    narrow = flow.assign(**{"model.width": 4, "run_id": flow["run_id"] + "x"})
    with pytest.raises(UserError, match=r"^rows: differ in model\.width \(4, 16\), "):
        plot.gradient_flow(pd.concat([flow, narrow]), family="plain")
    residual = narrow[narrow["family"] == "residual"]
    plot.gradient_flow(pd.concat([flow, residual]), family="plain")  # draws no residual network
