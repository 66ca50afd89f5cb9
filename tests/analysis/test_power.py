"""Simulated power: what is drawn is what the tables say, and each claim is asked; the design of convergence_digits."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.interval_censoring import EXPONENTIAL, POWER
from analysis.mechanisms.growth import OTHER_FORM
from analysis.power import Case, Design, all_cases, simulate
from analysis.power.cases import TIMES
from analysis.power.ledger import (
    Normal,
    deviation_from_interval,
    read_error_increases,
    read_excess_lengths,
    read_training_errors,
)
from analysis.power.simulated_runs import draw_frame
from analysis.power.times import FormDraw, Growth, fit_growths
from analysis.statistics import student_interval
from degradation.config import CONF
from degradation.sweep.jobs import expand_runs

ROOT = CONF.parent
LEDGER = ROOT / "experiments/ledger/quick"
QUICK = Design(depths=(20, 32, 44, 56, 110), seeds=3, every=40, last=400, drops=(200, 300))
CLAIMS = {
    "degradation", "no degradation", "the fix", "healthy norms, plain", "healthy norms, residual",
    "shattered gradients", "short paths", "weaker responses", "weaker with depth", "lesions",
    "no such slowing, residual", "exponentially slow (quick)",
}  # fmt: skip


@pytest.fixture(scope="module")
def cases():
    return {(case.claim, case.truth): case for case in all_cases(LEDGER, 2.0, {"quick": QUICK})}


@pytest.fixture(scope="module")
def growths():
    return fit_growths(pd.read_csv(LEDGER / TIMES), QUICK.drops)


@pytest.fixture(scope="module")
def design():
    """That of convergence_digits, as it is composed."""
    configs = [run.config for run in expand_runs(["experiment=convergence_digits"])]
    schedule = configs[0].schedule
    assert list(schedule.milestones) == []  # one learning rate throughout
    depths = tuple(sorted({config.model.depth for config in configs}))
    seeds = len({config.seed for config in configs})
    assert len(configs) == len(depths) * seeds
    return Design(depths, seeds, schedule.evaluate_every, schedule.iterations)


def test_deviation_is_recovered_from_an_interval():
    values = [3.0, 5.0, 10.0]
    interval = student_interval(values)
    found = deviation_from_interval(interval.low, interval.high, 3)
    assert found == pytest.approx(np.std(values, ddof=1))


def test_truths_seen_are_those_of_the_tables():
    errors = read_training_errors(LEDGER)
    table = pd.read_csv(LEDGER / "runs.csv").groupby(["family", "depth"])["train/clean_error"]
    for (family, depth), deviation in table.std().items():
        assert errors[family][depth].mean == pytest.approx(table.mean()[family, depth], rel=1e-4)
        least = (
            100 / 1500 / math.sqrt(12)
        )  # what three equal errors are known to: the step in which they move
        assert errors[family][depth].deviation == pytest.approx(
            max(deviation, least), rel=1e-3, abs=1e-4
        )
    lesions = pd.read_csv(LEDGER / "lesions.csv").set_index(["family", "depth", "lesion", "number"])
    increase = read_error_increases(LEDGER)["plain"][44]
    assert increase.mean == pytest.approx(lesions.loc[("plain", 44, "delete", 1), "increase_mean"])
    paths = read_excess_lengths(LEDGER)["residual"]
    assert paths[20].mean == pytest.approx(4.38997 - 4.5)


def test_drawn_errors_are_whole_images_about_the_mean():
    nets = {"plain": {20: Normal(10.0, 1.0), 56: Normal(0.0, 1.0), 110: Normal(89.0, 0.0)}}
    generator = np.random.default_rng(0)
    table = pd.concat([draw_frame(nets, generator).runs for _ in range(60)])
    errors = table.groupby("depth")["training_error"]
    assert errors.mean()[20] == pytest.approx(10, abs=0.3)
    assert errors.std()[20] == pytest.approx(1, abs=0.15)
    assert errors.min()[56] == 0
    assert np.allclose(table["training_error"] * 15, np.round(table["training_error"] * 15))
    assert table.groupby("depth")["untrained"].all().to_dict() == {20: False, 56: False, 110: True}


@pytest.mark.slow
def test_every_claim_of_quick_is_simulated_under_each_truth(cases):
    assert {claim for claim, _ in cases} == CLAIMS
    for case in cases.values():
        assert sum(simulate(case, 1).values()) == 1
    seen = {
        claim for claim, truth in cases if truth.startswith(("as seen", "exponential, as fitted"))
    }
    none = {
        claim
        for claim, truth in cases
        if truth.startswith(("no effect", "a factor of 10 at every"))
    }
    assert seen == none == CLAIMS


@pytest.mark.parametrize(
    ("claim", "truth", "verdict"),
    [
        ("degradation", "as seen", Verdict.REPRODUCED),
        ("degradation", "no effect", Verdict.CONTRADICTED),
        ("no degradation", "as seen", Verdict.REPRODUCED),
        ("the fix", "no effect", Verdict.CONTRADICTED),
        ("healthy norms, plain", "as seen", Verdict.CONTRADICTED),
        ("healthy norms, residual", "a factor of 10 at every depth and probe", Verdict.REPRODUCED),
        ("shattered gradients", "as seen", Verdict.REPRODUCED),
        ("no such slowing, residual", "residual and plain nets exchanged", Verdict.CONTRADICTED),
    ],
)
def test_a_large_effect_is_always_seen(cases, claim, truth, verdict):
    assert simulate(cases[claim, truth], 4)[verdict] == 1


def test_a_case_repeats_and_differs_from_the_next(cases):
    case = cases["short paths", "as seen"]
    assert simulate(case, 12) == simulate(case, 12)

    def noise(truth):
        seen = []
        simulate(
            Case(
                "claim",
                truth,
                lambda generator: seen.append(generator.normal()) or Verdict.REPRODUCED,
            ),
            1,
        )
        return seen

    assert noise("one") == noise("one") != noise("another")


def test_times_are_known_between_two_evaluations():
    after, by = QUICK.censor(np.array([39.0, 40.0, 41.0, 200.0, 201.0]), QUICK.window)
    assert after.tolist() == [0, 0, 40, 160, 200]
    assert by.tolist() == [40, 40, 80, 200, np.inf]


def test_growth_is_lognormal_about_its_form():
    depths = np.array([10.0, 20.0])
    assert Growth(EXPONENTIAL, 1.0, 0.1, 0.5).times(depths, np.array([0.0, 1.0])) == pytest.approx(
        np.exp([2, 3.5])
    )
    assert Growth(POWER, 0.0, 2.0, 0.0).times(depths, np.zeros(2)) == pytest.approx([100, 400])


def test_a_delayed_growth_has_the_same_times_at_two_depths():
    growth, two = Growth(EXPONENTIAL, 3.0, 0.04, 0.1), np.array([20.0, 44.0])
    delayed = growth.delayed_power_law(20.0, *two)
    assert delayed.times(two, np.ones(2)) == pytest.approx(growth.times(two, np.ones(2)))
    assert delayed.times(np.array([1e-9]), np.zeros(1)) == pytest.approx(20.0)


def test_deepest_nets_of_the_design_have_time(growths, design):
    """Two standard deviations above the median of the slower form, at the deepest."""
    deepest = np.array([float(max(design.depths))])
    for growth in growths.values():
        assert growth.times(deepest, np.array([2.0]))[0] < design.last


@pytest.mark.parametrize("form", [EXPONENTIAL, POWER])
@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_convergence_digits_tells_the_forms_apart(growths, design, form, spread):
    """At least 80 % for the true form and at most 5 % for the other, also at twice the spread of quick's runs."""
    growth = growths[form]
    wide = Growth(form, growth.intercept, growth.slope, spread * growth.sigma)
    chances = simulate(Case(form, f"spread x {spread:g}", FormDraw(design, wide)), 100)
    right, wrong = Verdict.REPRODUCED, Verdict.CONTRADICTED
    if OTHER_FORM[form] == EXPONENTIAL:
        right, wrong = wrong, right
    assert chances[right] >= 0.8
    assert chances[wrong] <= 0.05


@pytest.mark.slow
def test_quick_cannot_tell_the_forms_apart(growths):
    for form, growth in growths.items():
        chances = simulate(Case(form, "as fitted", FormDraw(QUICK, growth)), 50)
        assert chances[Verdict.INCONCLUSIVE] >= 0.8


@pytest.mark.slow
def test_the_command_writes_the_table_into_the_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- power: begin -->\nold\n<!-- power: end -->\nafter\n")
    command = [sys.executable, "experiments/power.py", "--repetitions=1", f"--page={page}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    text = page.read_text()
    assert text.startswith("before\n<!-- power: begin -->\n")
    assert text.endswith("<!-- power: end -->\nafter\n")
    assert "old" not in text
    assert "| degradation | as seen | 100.0 | 0.0 | 0.0 | 0.0 |" in text
    assert "exponentially slow (convergence_digits)" in text
    assert "| degradation | as seen |" in done.stdout


def test_the_page_holds_the_marks_of_the_table():
    text = (ROOT / "docs/verdicts.md").read_text()
    begin, end = text.index("<!-- power: begin -->"), text.index("<!-- power: end -->")
    assert begin < text.index("| no degradation | no effect |") < end
    assert Path(ROOT / "analysis/power").is_dir()
