"""Simulated power: the truths match the tables, every claim has cases, and designs suffice."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.interval_censoring import EXPONENTIAL, POWER
from analysis.power import Case, Design, all_cases, simulate
from analysis.power.cases import TIMES
from analysis.power.measured_values import (
    Normal,
    read_error_increases,
    read_excess_lengths,
    read_training_errors,
    std_from_interval,
)
from analysis.power.simulated_runs import ERROR_STEP, draw_frame
from analysis.power.times import FormDraw, GrowthModel, fit_growth_models
from analysis.statistics import student_interval
from degradation.config import CONF
from degradation.sweep.runs import expand_runs

ROOT = CONF.parent
LEDGER = ROOT / "experiments/ledger/quick"
QUICK = Design(
    depths=(20, 32, 44, 56, 110), seeds=3, evaluate_every=40, iterations=400, drops=(200, 300)
)
CLAIMS = {
    "degradation",
    "no degradation",
    "the fix",
    "healthy gradients, plain",
    "healthy gradients, residual",
    "shattered gradients",
    "short paths",
    "weaker responses",
    "weaker responses with depth",
    "removing a block",
    "less slowing with shortcuts",
    "exponential slowing (quick)",
}


@pytest.fixture(scope="module")
def cases():
    return {(case.claim, case.truth): case for case in all_cases(LEDGER, 2.0, {"quick": QUICK})}


@pytest.fixture(scope="module")
def growth_models():
    return fit_growth_models(pd.read_csv(LEDGER / TIMES), QUICK.drops)


@pytest.fixture(scope="module")
def design():
    """The design of convergence_digits, from its composed configurations."""
    configs = [run.config for run in expand_runs(["experiment=convergence_digits"])]
    schedule = configs[0].schedule
    assert list(schedule.milestones) == []  # one learning rate throughout
    depths = tuple(sorted({config.model.depth for config in configs}))
    seeds = len({config.seed for config in configs})
    assert len(configs) == len(depths) * seeds
    return Design(depths, seeds, schedule.evaluate_every, schedule.iterations)


def test_std_is_recovered_from_an_interval():
    values = [3.0, 5.0, 10.0]
    interval = student_interval(values)
    std = std_from_interval(interval.low, interval.high, 3)
    assert std == pytest.approx(np.std(values, ddof=1))


def test_measured_training_errors_match_the_table():
    errors = read_training_errors(LEDGER)
    table = pd.read_csv(LEDGER / "runs.csv").groupby(["family", "depth"])["train/clean_error"]
    smallest = ERROR_STEP / math.sqrt(12)  # equal errors are known only to their step
    for (family, depth), std in table.std().items():
        normal = errors[family][depth]
        assert normal.mean == pytest.approx(table.mean()[family, depth], rel=1e-4)
        assert normal.std == pytest.approx(max(std, smallest), rel=1e-3, abs=1e-4)


def test_measured_probes_match_their_tables():
    lesions = pd.read_csv(LEDGER / "lesions.csv").set_index(["family", "depth", "lesion", "number"])
    increase = read_error_increases(LEDGER)["plain"][44]
    assert increase.mean == pytest.approx(lesions.loc[("plain", 44, "delete", 1), "increase_mean"])
    excess = read_excess_lengths(LEDGER)["residual"][20]
    assert excess.mean == pytest.approx(4.38997 - 4.5)


def test_drawn_errors_are_whole_images_about_the_mean():
    networks = {"plain": {20: Normal(10.0, 1.0), 56: Normal(0.0, 1.0), 110: Normal(89.0, 0.0)}}
    generator = np.random.default_rng(0)
    table = pd.concat([draw_frame(networks, generator).runs for _ in range(60)])
    errors = table.groupby("depth")["training_error"]
    assert errors.mean()[20] == pytest.approx(10, abs=0.3)
    assert errors.std()[20] == pytest.approx(1, abs=0.15)
    assert errors.min()[56] == 0
    assert np.allclose(table["training_error"] * 15, np.round(table["training_error"] * 15))
    assert table.groupby("depth")["untrained"].all().to_dict() == {20: False, 56: False, 110: True}


def claims_under(cases, *truths):
    """Return the claims that have a case whose truth begins with one of these."""
    return {claim for claim, truth in cases if truth.startswith(truths)}


@pytest.mark.slow
def test_every_claim_has_a_true_and_a_null_case(cases):
    assert {claim for claim, _ in cases} == CLAIMS
    for case in cases.values():
        assert sum(simulate(case, 1).values()) == 1
    assert claims_under(cases, "as observed", "exponential, as fitted") == CLAIMS
    assert claims_under(cases, "no effect", "a factor of 10 at every") == CLAIMS


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize(
    ("claim", "truth", "verdict"),
    [
        ("degradation", "as observed", Verdict.REPRODUCED),
        ("degradation", "no effect", Verdict.CONTRADICTED),
        ("no degradation", "as observed", Verdict.REPRODUCED),
        ("the fix", "no effect", Verdict.CONTRADICTED),
        ("healthy gradients, plain", "as observed", Verdict.CONTRADICTED),
        (
            "healthy gradients, residual",
            "a factor of 10 at every depth and time point",
            Verdict.REPRODUCED,
        ),
        ("shattered gradients", "as observed", Verdict.REPRODUCED),
        (
            "less slowing with shortcuts",
            "residual and plain networks swapped",
            Verdict.CONTRADICTED,
        ),
    ],
)
def test_large_effects_are_always_decided(cases, claim, truth, verdict):
    assert simulate(cases[claim, truth], 4)[verdict] == 1


def test_repeated_simulation_is_equal(cases):
    case = cases["short paths", "as observed"]
    assert simulate(case, 12) == simulate(case, 12)


def test_each_truth_has_its_own_random_stream():
    def draw_noise(truth):
        values = []

        def draw(generator):
            values.append(generator.normal())
            return Verdict.REPRODUCED

        simulate(Case("claim", truth, draw), 1)
        return values

    assert draw_noise("one") == draw_noise("one") != draw_noise("another")


def test_times_are_censored_by_the_evaluations():
    after, by = QUICK.censor(np.array([39.0, 40.0, 41.0, 200.0, 201.0]), QUICK.cutoff)
    assert after.tolist() == [0, 0, 40, 160, 200]
    assert by.tolist() == [40, 40, 80, 200, np.inf]


def test_growth_model_is_lognormal_about_its_median():
    depths = np.array([10.0, 20.0])
    exponential = GrowthModel(EXPONENTIAL, 1.0, 0.1, 0.5)
    assert exponential.times(depths, np.array([0.0, 1.0])) == pytest.approx(np.exp([2, 3.5]))
    power = GrowthModel(POWER, 0.0, 2.0, 0.0)
    assert power.times(depths, np.zeros(2)) == pytest.approx([100, 400])


def test_delayed_power_law_agrees_at_two_depths():
    growth_model, depths = GrowthModel(EXPONENTIAL, 3.0, 0.04, 0.1), np.array([20.0, 44.0])
    delayed = growth_model.delayed_power_law(20.0, *depths)
    assert delayed.times(depths, np.ones(2)) == pytest.approx(
        growth_model.times(depths, np.ones(2))
    )
    assert delayed.times(np.array([1e-9]), np.zeros(1)) == pytest.approx(20.0)


def test_design_is_long_enough_for_its_deepest_networks(growth_models, design):
    """The deepest networks finish even if they are two standard deviations above the median."""
    deepest = np.array([float(max(design.depths))])
    for growth_model in growth_models.values():
        assert growth_model.times(deepest, np.array([2.0]))[0] < design.iterations


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("form", [EXPONENTIAL, POWER])
@pytest.mark.parametrize("spread", [1.0, pytest.param(2.0, marks=pytest.mark.slow)])
def test_convergence_digits_finds_the_true_form(growth_models, design, form, spread):
    """At least 80 % find the true form and at most 5 % the other.

    This holds even if runs vary twice as much as those of `quick`.
    """
    growth_model = growth_models[form]
    wide = GrowthModel(
        form, growth_model.intercept, growth_model.slope, spread * growth_model.sigma
    )
    shares = simulate(Case(form, f"spread x {spread:g}", FormDraw(design, wide)), 100)
    if form == EXPONENTIAL:
        right, wrong = Verdict.REPRODUCED, Verdict.CONTRADICTED
    else:
        right, wrong = Verdict.CONTRADICTED, Verdict.REPRODUCED
    assert shares[right] >= 0.8
    assert shares[wrong] <= 0.05


@pytest.mark.slow
def test_quick_is_inconclusive_about_the_form(growth_models):
    for form, growth_model in growth_models.items():
        shares = simulate(Case(form, "as fitted", FormDraw(QUICK, growth_model)), 50)
        assert shares[Verdict.INCONCLUSIVE] >= 0.8


@pytest.mark.slow
def test_command_writes_the_table_into_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- power: begin -->\nold\n<!-- power: end -->\nafter\n")
    command = [sys.executable, "experiments/power.py", "--repetitions=1", f"--page={page}"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    text = page.read_text()
    assert text.startswith("before\n<!-- power: begin -->\n")
    assert text.endswith("<!-- power: end -->\nafter\n")
    assert "old" not in text
    assert "| degradation | as observed | 100.0 | 0.0 | 0.0 | 0.0 |" in text
    assert "exponential slowing (convergence_digits)" in text
    assert "| degradation | as observed |" in result.stdout


def test_page_has_the_marks_of_the_table():
    text = (ROOT / "docs/verdicts.md").read_text()
    begin, end = text.index("<!-- power: begin -->"), text.index("<!-- power: end -->")
    assert begin < text.index("| no degradation | no effect |") < end
    assert (ROOT / "analysis/power").is_dir()
