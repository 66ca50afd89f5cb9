"""Claims of equivalence with the published numbers, on runs made by hand."""

import numpy as np
import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.published_claims import difference_from_published, judge_published
from analysis.published_values import find_published
from analysis.statistics import student_interval, welch_difference
from tests.support.frames import imagenet_runs, paper_frame

RESIDUAL_56 = [6.9, 7.0, 7.1]  # test errors near the paper's 6.97
TEN_CROP_COLUMNS = ["test/ten_crop_error", "test/ten_crop_top5_error"]


def judge_by_name(runs):
    return {claim.name: claim for claim in judge_published(runs, 0.5)}


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([6.9, 7.0, 7.1], Verdict.REPRODUCED),  # 7.0 +- 0.248, so -0.218 to +0.278 from 6.97
        ([8.4, 8.5, 8.6], Verdict.CONTRADICTED),
        ([5.4, 5.5, 5.6], Verdict.CONTRADICTED),  # better than the paper is not equal to it either
        ([6.5, 7.0, 7.5], Verdict.INCONCLUSIVE),
        ([7.0], Verdict.NOT_TESTED),
    ],
)
def test_each_verdict_can_be_reached(build_frame, errors, verdict):
    (claim,) = judge_published(paper_frame(build_frame, {56: errors}).runs, 0.5)
    assert (claim.name, claim.verdict) == ("published residual-56", verdict)


def test_exact_value_gets_a_student_interval(build_frame):
    (claim,) = judge_published(paper_frame(build_frame, {56: RESIDUAL_56}).runs, 0.5)
    # t(0.975, 2) = 4.303; 4.303 * 0.1 / sqrt(3) = 0.248
    assert claim.decisive_line == (
        "ours 7.00 % minus 6.97 % (H15 table 6): +0.03 points,"
        " 95 % Student-t confidence interval -0.22 to +0.28 over 3 runs"
    )
    assert any("treated as exact" in note for note in claim.notes)
    assert "precision of our runs: bf16" in claim.notes


def test_evidence_has_other_published_errors(build_frame):
    (claim,) = judge_published(paper_frame(build_frame, {56: RESIDUAL_56}).runs, 0.5)
    prediction = "one further run of ours: 6.50 to 7.50 %"
    assert any(line.startswith(prediction) for line in claim.evidence)
    runs = paper_frame(build_frame, {56: [7.0] * 3}).runs.assign(test_step=0.1)
    (claim,) = judge_published(runs, 0.5)  # equal errors are known to 0.1 points
    assert any("one further run of ours: 6.86 to 7.14 %" in line for line in claim.evidence)
    (claim,) = judge_published(paper_frame(build_frame, {56: RESIDUAL_56}).runs, 0.5)
    augmented = "for information: ours 0.05 % (mean of 3 runs), P1 0.04 % (one run)"
    assert any(augmented in line for line in claim.evidence)


def test_validation_error_is_not_compared_with_a_test_error(build_frame):
    errors = {56: [12.5, 13.0, 13.5]}
    (claim,) = judge_published(paper_frame(build_frame, plain=errors).runs, 0.5)
    assert (
        "P3 repository: 11.96 %, validation error, trained on 45,000 images: not compared with a"
        " test error"
    ) in claim.evidence
    deviation = "minus 11.70 % (P4 repository; 183 epochs, gradients clipped)"
    assert any(deviation in line for line in claim.evidence)
    running = "P3 5.16 % (one run; trained on 45,000 images)"
    assert any(line.startswith("running") and running in line for line in claim.evidence)
    assert not any(source in claim.decisive_line for source in ("P1", "P2", "P3", "P4"))


def test_open_comparison_says_how_many_seeds_settle_it(build_frame):
    errors = {56: [6.5, 7.0, 7.5], 110: [6.2, 6.6, 7.0]}
    claims = judge_by_name(paper_frame(build_frame, errors).runs)
    exact, with_deviation = claims["published residual-56"], claims["published residual-110"]
    assert exact.verdict is with_deviation.verdict is Verdict.INCONCLUSIVE
    assert exact.seeds_needed.count == 13
    assert with_deviation.seeds_needed is None  # more runs of ours do not narrow the paper's spread
    (settled,) = judge_published(paper_frame(build_frame, {56: RESIDUAL_56}).runs, 0.5)
    assert settled.seeds_needed is None
    (above_60,) = judge_published(
        paper_frame(build_frame, plain={110: [40.0, 60.0, 95.0]}).runs, 0.5
    )
    assert above_60.seeds_needed.count > 3  # the range is open above


def test_published_deviation_widens_the_interval():
    (paper,) = find_published(
        data="cifar10", family="residual", depth=110, source="H15", metric="test/error", best=False
    )
    ours = [6.45, 6.61, 6.77, 6.61, 6.61]
    difference = difference_from_published(ours, paper)
    # standard errors sqrt(0.0128 / 5) = 0.0506 and 0.16 / sqrt(5) = 0.0716, together 0.0876, with
    # 7.2 degrees of freedom
    assert difference.mean == pytest.approx(0, abs=1e-9)
    assert difference.high == pytest.approx(2.351 * 0.0876, abs=2e-3)
    assert difference.high > student_interval(ours).high - 6.61


def test_equal_errors_are_known_to_their_resolution_only():
    """Two runs with 9.26 % on 10,000 images are 0.51 points above 8.75 %, give or take 0.026."""
    (paper,) = find_published(
        data="cifar10", family="residual", depth=20, source="H15", metric="test/error", best=False
    )
    exact = difference_from_published([9.26, 9.26], paper)
    assert exact.low == exact.high
    difference = difference_from_published([9.26, 9.26], paper, resolution=0.01)
    assert difference.mean == pytest.approx(9.26 - paper.value)
    half_width = 12.706 * 0.01 / np.sqrt(12) / np.sqrt(2)
    assert difference.high - difference.mean == pytest.approx(half_width, rel=1e-3)


def test_published_deviation_acts_like_runs_that_have_it():
    (paper,) = find_published(family="residual", depth=20, source="P2")
    unit_deviation = np.array([-2, -1, 0, 1, 2]) / np.sqrt(2.5)
    ours, theirs = [8.0, 8.3, 8.9], 8.51 + 0.22 * unit_deviation
    expected = welch_difference(ours, theirs.tolist())
    difference = difference_from_published(ours, paper)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_best_of_five_is_not_compared_with_a_mean(build_frame):
    """Pitfall 3."""
    (claim,) = judge_published(paper_frame(build_frame, {110: [6.6, 6.61, 6.62]}).runs, 0.5)
    assert "6.61 ± 0.16" in claim.decisive_line
    assert "Welch" in claim.decisive_line
    assert "H15 table 6: 6.43 %, the best of 5 runs: not compared with a mean" in claim.evidence
    assert any(
        "the learning rate never returned to 0.1 after its warm-up" in line
        for line in claim.evidence
    )


def test_range_is_compared_by_the_distance_to_it(build_frame):
    errors = {20: [9.2, 9.25, 9.3], 56: [14.4, 14.5, 14.6]}
    claims = judge_by_name(paper_frame(build_frame, plain=errors).runs)
    inside, above = claims["published plain-20"], claims["published plain-56"]
    assert (inside.verdict, above.verdict) == (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    assert inside.decisive_line == (
        "ours 9.25 %, 95 % Student-t confidence interval 9.13 to 9.37 over 3 runs;"
        " published: ~9 to 9.5 % (H15 figure 6)"
    )
    assert "ours 14.50 %, 95 % Student-t confidence interval 14.25 to 14.75" in above.decisive_line
    (paper,) = find_published(family="plain", depth=56, source="H15", metric="test/error")
    assert difference_from_published([14.4, 14.5, 14.6], paper).mean == pytest.approx(1.0)
    assert "the paper's errors of plain networks are read off figure 6 by eye" in inside.notes


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [([88.5, 89.0, 90.0], Verdict.REPRODUCED), ([20.0, 20.1, 20.2], Verdict.CONTRADICTED)],
)
def test_untrained_plain_110_is_noted(build_frame, errors, verdict):
    """The paper has its error above 60 %."""
    (claim,) = judge_published(paper_frame(build_frame, plain={110: errors}).runs, 0.5)
    assert claim.verdict is verdict
    assert any("no better than chance" in note for note in claim.notes) == (errors[0] > 88)


@pytest.mark.parametrize(
    ("training", "verdict"),
    [
        ([0.01, 0.02, 0.03], Verdict.REPRODUCED),
        ([0.01, 0.09, 0.12], Verdict.INCONCLUSIVE),
        ([0.5, 0.51, 0.52], Verdict.CONTRADICTED),
    ],
)
def test_published_bound_is_the_margin(build_frame, training, verdict):
    """The training error of 1202 layers is below 0.1 %."""
    frame = paper_frame(build_frame, {1202: [7.9, 7.93, 7.96]})
    frame.runs["train/clean_error"] = training
    claims = judge_by_name(frame.runs)
    assert list(claims) == ["published residual-1202", "published residual-1202, training"]
    claim = claims["published residual-1202, training"]
    assert claim.verdict is verdict
    source = "(H15 section 4.2; the paper does not say which training error)"
    assert f"published: below 0.1 % {source}" in claim.decisive_line


@pytest.mark.parametrize(
    ("state", "verb"),
    [("missing", "is"), ("failed", "has"), ("running", "is"), ("partial", "is")],
)
def test_unfinished_run_leaves_its_network_untested(build_frame, state, verb):
    """Pitfall 10."""
    frame = paper_frame(build_frame, {20: [8.7, 8.75, 8.8], 56: RESIDUAL_56})
    unfinished = frame.runs["run_id"] == "residual-d56-s1"
    frame.runs.loc[unfinished, ["state", "test/error"]] = [state, np.nan]
    claims = judge_published(frame.runs, 0.5)
    assert [claim.verdict for claim in claims] == [Verdict.REPRODUCED, Verdict.NOT_TESTED]
    assert claims[1].decisive_line == f"1 of 3 residual runs {verb} {state}: residual-d56-s1"


def test_run_without_the_metric_leaves_its_network_untested(build_frame):
    frame = paper_frame(build_frame, {56: RESIDUAL_56})
    frame.runs.loc[0, "test/error"] = np.nan
    (claim,) = judge_published(frame.runs, 0.5)
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive_line == "1 of 3 runs of residual-56 has no test error"


def test_diverged_run_counts_at_chance(build_frame):
    frame = paper_frame(build_frame, {56: [6.9, 7.0, 90.0]})
    frame.runs.loc[2, "state"] = "diverged"
    (claim,) = judge_published(frame.runs, 0.5)
    assert claim.verdict is Verdict.INCONCLUSIVE
    note = "1 of 3 runs of residual-56 diverged; a diverged run counts as chance error"
    assert note in claim.notes


def test_repeated_seed_leaves_its_network_untested(build_frame):
    runs = paper_frame(build_frame, {56: RESIDUAL_56}).runs
    (claim,) = judge_published(pd.concat([runs, runs]), 0.5)
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive_line.startswith("seed 0 of residual-56 is recorded twice: run ids ")


def test_data_without_published_errors_has_no_claims(build_frame):
    runs = paper_frame(build_frame, {56: RESIDUAL_56}, **{"config.data.name": "image_folder"}).runs
    assert judge_published(runs, 0.5) == []
    assert judge_published(build_frame({"residual": {56: RESIDUAL_56}}).runs, 0.5) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"config.schedule.iterations": 6400},
            "schedule.iterations is 6400, but the paper's protocol requires 64000",
        ),
        ({"config.optim.lr": 0.05}, "optim.lr is 0.05, but the paper's protocol requires 0.1"),
        ({"depth": 26}, "no error of residual-26 is published"),
    ],
)
def test_reason_for_no_comparison_is_named(build_frame, changes, reason):
    runs = paper_frame(build_frame, {56: RESIDUAL_56}, **changes).runs
    (claim,) = judge_published(runs, 0.5)
    assert (claim.name, claim.verdict) == ("published numbers", Verdict.NOT_TESTED)
    assert claim.decisive_line == f"not compared with published numbers: {reason}"


def test_reasons_beyond_three_are_counted(build_frame):
    keys = ("optim.lr", "optim.momentum", "optim.weight_decay", "schedule.factor")
    changes = {f"config.{key}": 0.3 for key in keys}
    (claim,) = judge_published(paper_frame(build_frame, {56: RESIDUAL_56}, **changes).runs, 0.5)
    assert claim.decisive_line.endswith("; and 1 more")
    assert len(claim.evidence) == 4


def test_some_networks_are_compared_and_others_not(build_frame):
    runs = paper_frame(build_frame, {20: [8.7, 8.8], 56: RESIDUAL_56}).runs
    runs.loc[runs["depth"] == 20, "config.model.width"] = 32
    claims = judge_published(runs, 0.5)
    assert [claim.name for claim in claims] == ["published residual-56", "published numbers"]
    assert claims[1].evidence == ["model.width is 32, but the paper's protocol requires 16"]


def test_imagenet_has_a_claim_per_ten_crop_error(build_frame):
    """Table 3 has 25.03 and 7.76 for ResNet-34 A; plain-34 has one seed here."""
    runs = imagenet_runs(build_frame)
    assert {name: claim.verdict for name, claim in judge_by_name(runs).items()} == {
        "published plain-34 none, top-1": Verdict.NOT_TESTED,
        "published plain-34 none, top-5": Verdict.NOT_TESTED,
        "published residual-34 A, top-1": Verdict.REPRODUCED,
        "published residual-34 A, top-5": Verdict.REPRODUCED,
    }
    runs["test/ten_crop_error"] = 28.0
    top1 = judge_by_name(runs)["published residual-34 A, top-1"]
    assert top1.verdict is Verdict.CONTRADICTED
    claims = judge_published(runs.drop(columns=TEN_CROP_COLUMNS), 0.5)
    assert {claim.verdict for claim in claims} == {Verdict.NOT_TESTED}
