"""Our runs beside the published numbers: verdicts, tables and the figure, from hand-made frames."""

import numpy as np
import pandas as pd
import pytest

from analysis.claims import Verdict
from analysis.figures import learning_curves, style
from analysis.figures import published as drawn
from analysis.paper_protocol import follows_cifar10_protocol
from analysis.published_claims import difference_from_published, judge_published
from analysis.published_tables import build_cifar10_table, build_imagenet_table
from analysis.published_values import find_published
from analysis.statistics import student_interval, welch_difference
from tests.support.frames import imagenet_runs, paper_frame

RESIDUAL_56 = [6.9, 7.0, 7.1]


def of(claims, name):
    return next(claim for claim in claims if claim.name == name)


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([6.9, 7.0, 7.1], Verdict.REPRODUCED),  # 7.0 +- 0.248, so -0.218 to +0.278 from 6.97
        ([8.4, 8.5, 8.6], Verdict.CONTRADICTED),
        (
            [5.4, 5.5, 5.6],
            Verdict.CONTRADICTED,
        ),  # better than the paper by more than the margin is not its number
        ([6.5, 7.0, 7.5], Verdict.INCONCLUSIVE),
        ([7.0], Verdict.NOT_TESTED),
    ],
)
def test_the_four_verdicts(frame_of, errors, verdict):
    (claim,) = judge_published(paper_frame(frame_of, {56: errors}).runs, 0.5)
    assert (claim.name, claim.verdict) == ("published residual-56", verdict)


def test_the_interval_is_students_about_an_exact_value(frame_of):
    (claim,) = judge_published(paper_frame(frame_of, {56: RESIDUAL_56}).runs, 0.5)
    # t(0.975, 2) = 4.303; 4.303 * 0.1 / sqrt(3) = 0.248
    assert claim.decisive == (
        "ours 7.00 % minus 6.97 % (H15 table 6): +0.03 points, Student 95 % interval -0.22 to +0.28 over 3 runs"
    )
    assert any("taken as exact" in note for note in claim.notes)
    assert "precision of our runs: bf16" in claim.notes
    assert any(
        line.startswith("one further run of ours: 6.50 to 7.50 %") for line in claim.evidence
    )
    assert any(
        "for information: ours 0.05 % (mean of 3 runs), P1 0.04 %" in line
        for line in claim.evidence
    )


def test_a_published_spread_widens_the_interval():
    (paper,) = find_published(
        data="cifar10", family="residual", depth=110, source="H15", metric="test/error", best=False
    )
    ours = [6.45, 6.61, 6.77, 6.61, 6.61]
    difference = difference_from_published(ours, paper)
    # standard errors sqrt(0.0128 / 5) = 0.0506 and 0.16 / sqrt(5) = 0.0716: 0.0876, 7.2 degrees of freedom
    assert difference.mean == pytest.approx(0, abs=1e-9)
    assert difference.high == pytest.approx(2.351 * 0.0876, abs=2e-3)
    assert difference.high > student_interval(ours).high - 6.61


def test_welch_agrees_with_the_raw_runs(frame_of):
    """A published mean and standard deviation stand for runs that have them."""
    (paper,) = find_published(family="residual", depth=20, source="P2")
    step = np.array([-2, -1, 0, 1, 2]) / np.sqrt(2.5)
    ours, theirs = [8.0, 8.3, 8.9], 8.51 + 0.22 * step
    expected = welch_difference(ours, theirs.tolist())
    difference = difference_from_published(ours, paper)
    assert (difference.low, difference.high) == pytest.approx((expected.low, expected.high))


def test_the_best_of_five_is_never_compared_with_a_mean(frame_of):
    """Pitfall 3."""
    (claim,) = judge_published(paper_frame(frame_of, {110: [6.6, 6.61, 6.62]}).runs, 0.5)
    assert "6.61 ± 0.16" in claim.decisive
    assert "Welch" in claim.decisive
    assert "H15 table 6: 6.43 %, the best of 5 runs: not compared with a mean" in claim.evidence
    assert any("its warm-up never returned to 0.1" in line for line in claim.evidence)


def test_a_range_is_compared_by_the_distance_to_it(frame_of):
    claims = judge_published(
        paper_frame(frame_of, plain={20: [9.2, 9.25, 9.3], 56: [14.4, 14.5, 14.6]}).runs, 0.5
    )
    within, above = of(claims, "published plain-20"), of(claims, "published plain-56")
    assert (within.verdict, above.verdict) == (Verdict.REPRODUCED, Verdict.CONTRADICTED)
    assert within.decisive == (
        "ours 9.25 %, Student 95 % interval 9.13 to 9.37 over 3 runs, against ~9 to 9.5 % (H15 figure 6)"
    )
    assert "ours 14.50 %, Student 95 % interval 14.25 to 14.75" in above.decisive
    (paper,) = find_published(family="plain", depth=56, source="H15", metric="test/error")
    assert difference_from_published([14.4, 14.5, 14.6], paper).mean == pytest.approx(1.0)
    assert "the paper's plain nets are read off figure 6 by eye" in within.notes


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [([88.5, 89.0, 90.0], Verdict.REPRODUCED), ([20.0, 20.1, 20.2], Verdict.CONTRADICTED)],
)
def test_plain_110_above_60_and_untrained_is_said_to_be_so(frame_of, errors, verdict):
    (claim,) = judge_published(paper_frame(frame_of, plain={110: errors}).runs, 0.5)
    assert claim.verdict is verdict
    assert any("untrained" in note for note in claim.notes) == (errors[0] > 88)


@pytest.mark.parametrize(
    ("training", "verdict"),
    [
        ([0.01, 0.02, 0.03], Verdict.REPRODUCED),
        ([0.01, 0.09, 0.12], Verdict.INCONCLUSIVE),
        ([0.5, 0.51, 0.52], Verdict.CONTRADICTED),
    ],
)
def test_the_training_error_of_1202_layers_is_below_a_tenth(frame_of, training, verdict):
    frame = paper_frame(frame_of, {1202: [7.9, 7.93, 7.96]})
    frame.runs["train/clean_error"] = training
    claims = judge_published(frame.runs, 0.5)
    assert [claim.name for claim in claims] == [
        "published residual-1202",
        "published residual-1202, training",
    ]
    assert claims[1].verdict is verdict
    assert (
        "against below 0.1 % (H15 section 4.2; the kind of training error is not printed)"
        in claims[1].decisive
    )


@pytest.mark.parametrize("state", ["missing", "failed", "running", "partial"])
def test_a_run_without_an_end_leaves_its_net_untested(frame_of, state):
    """Pitfall 10."""
    frame = paper_frame(frame_of, {20: [8.7, 8.75, 8.8], 56: RESIDUAL_56})
    frame.runs.loc[frame.runs["run_id"] == "residual-d56-s1", ["state", "test/error"]] = [
        state,
        np.nan,
    ]
    claims = judge_published(frame.runs, 0.5)
    assert [claim.verdict for claim in claims] == [Verdict.REPRODUCED, Verdict.NOT_TESTED]
    assert claims[1].decisive == f"1 of 3 residual runs is {state}: residual-d56-s1"
    assert build_cifar10_table(frame.runs)["without_end"].tolist() == [0, 1]


def test_a_diverged_run_counts_at_chance(frame_of):
    frame = paper_frame(frame_of, {56: [6.9, 7.0, 90.0]})
    frame.runs.loc[2, ["state", "train/augmented_error"]] = ["diverged", np.nan]
    (claim,) = judge_published(frame.runs, 0.5)
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert "1 of 3 runs of residual-56 diverged; a diverged run counts at chance" in claim.notes
    assert build_cifar10_table(frame.runs).loc[0, "train_augmented_error_mean"] == pytest.approx(
        (0.05 + 0.05 + 90) / 3
    )


def test_a_seed_that_stands_twice_is_of_several_conditions(frame_of):
    runs = paper_frame(frame_of, {56: RESIDUAL_56}).runs
    (claim,) = judge_published(pd.concat([runs, runs]), 0.5)
    assert claim.verdict is Verdict.NOT_TESTED
    assert claim.decisive.startswith("seed 0 of residual-56 is recorded twice: run ids ")


def test_data_without_published_errors_is_not_compared(frame_of):
    runs = paper_frame(frame_of, {56: RESIDUAL_56}, **{"config.data.name": "image_folder"}).runs
    assert judge_published(runs, 0.5) == []
    assert build_cifar10_table(runs).empty
    assert judge_published(frame_of({"residual": {56: RESIDUAL_56}}).runs, 0.5) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"config.schedule.iterations": 6400},
            "schedule.iterations is 6400, the paper's protocol has 64000",
        ),
        ({"config.optim.lr": 0.05}, "optim.lr is 0.05, the paper's protocol has 0.1"),
        ({"depth": 26}, "no error of residual-26 is published"),
    ],
)
def test_a_run_that_is_not_compared_says_why(frame_of, changes, reason):
    runs = paper_frame(frame_of, {56: RESIDUAL_56}, **changes).runs
    (claim,) = judge_published(runs, 0.5)
    assert (claim.name, claim.verdict) == ("published numbers", Verdict.NOT_TESTED)
    assert claim.decisive == f"not compared with published numbers: {reason}"
    assert build_cifar10_table(runs).empty or changes == {"depth": 26}


def test_many_reasons_are_counted_and_all_in_the_evidence(frame_of):
    changes = {
        f"config.{key}": 0.3
        for key in ("optim.lr", "optim.momentum", "optim.weight_decay", "schedule.factor")
    }
    (claim,) = judge_published(paper_frame(frame_of, {56: RESIDUAL_56}, **changes).runs, 0.5)
    assert claim.decisive.endswith("; and 1 more")
    assert len(claim.evidence) == 4


def test_nets_that_are_compared_stand_beside_those_that_are_not(frame_of):
    runs = paper_frame(frame_of, {20: [8.7, 8.8], 56: RESIDUAL_56}).runs
    runs.loc[runs["depth"] == 20, "config.model.width"] = 32
    claims = judge_published(runs, 0.5)
    assert [claim.name for claim in claims] == ["published residual-56", "published numbers"]
    assert claims[1].evidence == ["model.width is 32, the paper's protocol has 16"]


def test_table_6_with_ours_beside_it(frame_of):
    rows = build_cifar10_table(
        paper_frame(frame_of, {56: RESIDUAL_56, 110: [6.6], 1202: [8.0]}, {20: [9.2, 9.4]}).runs
    )
    rows = rows.set_index(["family", "depth"])
    residual = rows.loc[("residual", 56)]
    assert residual[["test_error_mean", "test_error_n"]].tolist() == pytest.approx([7.0, 3])
    assert residual[["test_error_low", "test_error_high"]].tolist() == pytest.approx(
        [6.752, 7.248], abs=1e-3
    )
    assert residual[["H15_test_error", "P1_train_augmented_error", "P1_test_error", "P2_test_error"]].tolist() == [
        "6.97", "0.04", "7.46", "7.40 ± 0.27",
    ]  # fmt: skip
    assert residual[["H15_parameters", "G_parameters", "G_multiply_adds"]].tolist() == [
        0.85e6,
        853018,
        125.5e6,
    ]
    assert rows.loc[("residual", 110), "H15_test_error"] == "6.61 ± 0.16; 6.43 (best of 5)"
    assert rows.loc[("residual", 1202), "H15_train_error"] == "below 0.1"
    assert rows.loc[("plain", 20), "H15_test_error"] == "~9 to 9.5"


def test_tables_2_and_3_with_ours_beside_them(frame_of):
    runs = imagenet_runs(frame_of)
    runs.loc[2, ["state", "test/ten_crop_error", "test/ten_crop_top5_error"]] = [
        "diverged",
        np.nan,
        np.nan,
    ]
    rows = build_imagenet_table(runs).set_index("family")
    assert rows.loc["plain", "H15_table_3_ten_crop_top5_error"] == "10.02"
    assert rows.loc["residual", "H15_table_2_ten_crop_error"] == "25.03"
    assert rows.loc["residual", "H15_multiply_adds"] == 3.6e9
    assert rows.loc["residual", "ten_crop_error_mean"] == pytest.approx((25.1 + 99.9) / 2)
    assert rows.loc["residual", "ten_crop_top5_error_mean"] == pytest.approx(
        (7.8 + 99.5) / 2
    )  # five of 1,000


def test_imagenets_ten_crop_errors_are_claims_of_their_own(frame_of):
    """Table 3: ResNet-34 A 25.03 / 7.76; plain-34 has one seed here."""
    runs = imagenet_runs(frame_of)
    claims = {claim.name: claim for claim in judge_published(runs, 0.5)}
    assert {name: claim.verdict for name, claim in claims.items()} == {
        "published plain-34 none, top-1": Verdict.NOT_TESTED, "published plain-34 none, top-5": Verdict.NOT_TESTED,
        "published residual-34 A, top-1": Verdict.REPRODUCED, "published residual-34 A, top-5": Verdict.REPRODUCED,
    }  # fmt: skip
    runs["test/ten_crop_error"] = 28.0
    assert [
        c.verdict for c in judge_published(runs, 0.5) if c.name == "published residual-34 A, top-1"
    ] == [Verdict.CONTRADICTED]
    without = runs.drop(columns=["test/ten_crop_error", "test/ten_crop_top5_error"])
    assert {claim.verdict for claim in judge_published(without, 0.5)} == {Verdict.NOT_TESTED}


def test_imagenet_runs_without_ten_crops_have_a_gap(frame_of):
    runs = imagenet_runs(frame_of).drop(columns=["test/ten_crop_error", "test/ten_crop_top5_error"])
    rows = build_imagenet_table(runs)
    assert rows["ten_crop_error_n"].tolist() == [0, 0]
    assert rows["one_crop_error_mean"].tolist() == [27.0, 27.0]


def full(frame_of):
    residual = {
        20: [8.3, 8.5, 8.4],
        32: [7.6, 7.7, 7.5],
        44: [7.3, 7.1, 7.4],
        56: [6.9, 7.2, 7.1],
        110: [6.5, 6.7, 6.6],
    }
    plain = {20: [9.3, 9.6, 9.4], 32: [9.9, 10.3, 10.1], 44: [11.2, 11.9, 11.5], 56: [12.7, 13.3, 13.0],
             110: [88.0, 89.0, 90.0]}  # fmt: skip
    return paper_frame(frame_of, residual, plain)


def test_the_papers_test_errors_stand_at_the_end_of_the_curves(frame_of):
    """Figure 6; only for runs of its protocol, and on its scale."""
    frame = paper_frame(
        frame_of, {20: [8.6, 8.8], 56: [7.0, 7.1]}, {20: [9.2, 9.4], 110: [70.0, 80.0]}
    )
    plain, residual = learning_curves.plot(frame).axes
    marks = [line.get_xydata().tolist() for line in residual.lines if line.get_marker() == "D"]
    assert marks == [[[64000, 8.75]], [[64000, 6.97]]]
    assert [[64000, 9.0], [64000, 9.5]] in [line.get_xydata().tolist() for line in plain.lines]
    assert plain.get_ylim() == (0, 25)
    other = paper_frame(frame_of, {20: [8.6, 8.8]}, **{"config.data.name": "image_folder"})
    assert not [
        line for line in learning_curves.plot(other).axes[0].lines if line.get_marker() == "D"
    ]


def test_the_figure_shows_ours_and_the_published_on_one_scale(frame_of):
    style.apply()
    frame = full(frame_of)
    left, right = drawn.plot(frame).axes
    assert left.get_ylim() == right.get_ylim() == (5, 15)
    assert [tick.get_text() for tick in right.get_xticklabels()] == [
        "20",
        "32",
        "44",
        "56",
        "110",
        "1202",
    ]
    marks = [float(y) for line in right.lines for y in np.atleast_1d(line.get_ydata())]
    for error in (8.75, 7.51, 7.17, 6.97, 6.61, 6.43, 7.93, 8.04, 8.51, 7.40, 7.14):
        assert error in marks
    texts = [text.get_text() for text in left.texts]
    assert "above 60" in texts
    assert "89.0" in texts
    means = frame.runs[frame.runs["family"] == "residual"].groupby("depth")["test/error"].mean()
    assert {f"{mean:.2f}" for mean in means} == {text.get_text() for text in right.texts}


def test_without_runs_of_the_protocol_the_published_points_stand_alone(frame_of):
    frame = frame_of({"plain": {20: [1.0]}, "residual": {20: [1.0, 2.0]}})
    assert not follows_cifar10_protocol(frame.runs).any()
    left, right = drawn.plot(frame).axes
    assert left.get_title() == "plain networks: no run of the paper's protocol"
    assert "2.00" not in {text.get_text() for text in right.texts}


def test_a_run_beyond_the_axis_is_told_where_the_mean_is_within_it(frame_of):
    frame = paper_frame(frame_of, {56: [7.0, 7.1, 7.2, 7.0, 90.0]}, {44: [24.0, 25.0]})
    frame.runs.loc[frame.runs["test/error"] == 90, "state"] = "diverged"
    left, right = drawn.plot(frame).axes
    assert left.get_ylim() == (5, 25.5)
    assert "1 of 5 runs" in {text.get_text() for text in right.texts}
