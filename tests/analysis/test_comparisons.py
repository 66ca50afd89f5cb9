"""Claims across conditions, in all their verdicts, on hand-made frames."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.comparisons import compare
from analysis.comparisons.learning_rate import at_best_rate
from analysis.conditions import conditions
from analysis.evidence import Verdict
from analysis.figures import style
from analysis.frame import Frame
from analysis.report import build
from analysis.statistics import paired

PLAIN = {20: [1.5, 1.7, 1.6], 56: [51.0, 53.0, 50.0]}
LOW = {20: [0.9, 0.7, 0.8], 56: [0.7, 0.5, 0.4]}
HIGH = {20: [9.0, 9.5, 9.2], 56: [40.0, 41.0, 40.5]}


@pytest.fixture
def joined(frame_of):
    """(families, columns) pairs -> one frame of all their runs."""

    def made(*parts):
        frames = [frame_of(errors, **columns) for errors, columns in parts]
        for number, frame in enumerate(frames):
            for table in (frame.runs, frame.curves):
                table["run_id"] = table["run_id"] + f"-{number}"
        runs, curves = (pd.concat([getattr(f, name) for f in frames], ignore_index=True) for name in ("runs", "curves"))
        return Frame(runs, curves)

    return made


def claims_of(frame, margin=2.0):
    return {claim.name: claim for one in compare(frame, margin) for claim in one.claims}


def shortcut(option):
    return {"config.model.shortcut": option}


@pytest.mark.parametrize(
    ("b", "verdict"),
    [
        ({20: [0.8, 0.9, 0.7], 56: [0.6, 0.4, 0.5]}, Verdict.REPRODUCED),
        ({20: [0.8, 0.9, 0.7], 56: [45.0, 46.0, 45.5]}, Verdict.CONTRADICTED),
        ({20: [0.8, 0.9, 0.7], 56: [5.0, 30.0, 45.0]}, Verdict.INCONCLUSIVE),
        ({20: [0.8], 56: [0.6]}, Verdict.NOT_TESTED),
    ],
)
def test_projections(joined, b, verdict):
    frame = joined(
        ({"plain": PLAIN}, shortcut("none")), ({"residual": LOW}, shortcut("A")), ({"residual": b}, shortcut("B"))
    )
    claims = claims_of(frame)
    assert {name: claim.verdict for name, claim in claims.items()} == {"projections": verdict}
    if verdict is Verdict.REPRODUCED:
        assert claims["projections"].decisive.startswith("56 layers: ")


def test_where_plain_does_not_degrade_there_is_no_gap_to_compare_with(joined):
    frame = joined(
        ({"plain": LOW}, shortcut("none")), ({"residual": LOW}, shortcut("A")), ({"residual": LOW}, shortcut("B"))
    )
    assert claims_of(frame)["projections"].verdict is not Verdict.REPRODUCED


def schedule(iterations):
    return {"config.schedule.iterations": iterations, "config.schedule.milestones": f"[{iterations // 2}]"}


@pytest.mark.parametrize(("after", "verdict"), [(PLAIN, Verdict.REPRODUCED), (LOW, Verdict.CONTRADICTED)])
def test_longer_training(joined, after, verdict):
    """The verdict is the longest schedule's; the shorter ones stand in the evidence."""
    frame = joined(
        ({"plain": PLAIN, "residual": LOW}, schedule(400)), ({"plain": after, "residual": LOW}, schedule(1200))
    )
    claim = claims_of(frame)["longer training"]
    assert claim.verdict is verdict
    assert "after 1200 iterations" in claim.statement
    assert claim.evidence[-1].startswith("for comparison, 400 iterations: 56 minus 20 layers: +49.73 points")


@pytest.mark.parametrize(
    ("pre", "verdict"), [(LOW, Verdict.REPRODUCED), (HIGH, Verdict.CONTRADICTED), ({20: [1.0]}, Verdict.NOT_TESTED)]
)
def test_preactivation(joined, pre, verdict):
    frame = joined(
        ({"residual": LOW}, {"config.model.order": "post"}), ({"preactivation": pre}, {"config.model.order": "pre"})
    )
    assert claims_of(frame)["preactivation"].verdict is verdict


def test_each_family_is_judged_at_its_own_best_rate(joined):
    """Plain-56 is best at 0.01, the residual nets at 0.1; plain-20 at 0.1."""
    frame = joined(
        ({"plain": {20: [3.0, 3.1, 3.2], 56: [50.0, 51.0, 52.0]}, "residual": HIGH}, {"config.optim.lr": 0.01}),
        ({"plain": {20: [1.0, 1.1, 1.2], 56: [88.0, 89.0, 88.5]}, "residual": LOW}, {"config.optim.lr": 0.1}),
    )
    best, told = at_best_rate(frame.runs)
    assert told[0].endswith("plain-20 0.1, plain-56 0.01, residual-20 0.1, residual-56 0.1")
    assert len(best) == 12
    claims = claims_of(frame)
    assert [claim.verdict for claim in claims.values()] == [Verdict.REPRODUCED] * 3
    assert claims["degradation, best lr"].decisive.startswith("56 minus 20 layers: +49.90 points")
    assert any(line.startswith("lr 0.01, the fix: ") for line in claims["the fix, best lr"].evidence)
    assert any("best lr by the mean of the same runs" in note for note in claims["the fix, best lr"].notes)


def constructed(frame_of, after, start=(1.5, 1.7, 1.6)):
    frame = frame_of({"plain": PLAIN, "constructed": after})
    grown = frame.runs["family"] == "constructed"
    frame.runs.loc[grown, "training_error_at_start"] = [start[seed] for seed in frame.runs.loc[grown, "seed"]]
    return frame


def test_the_construction(frame_of):
    claims = claims_of(constructed(frame_of, {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}))
    assert {name: claim.verdict for name, claim in claims.items()} == dict.fromkeys(
        ("construction", "not found", "kept"), Verdict.REPRODUCED
    )
    assert "highest of all evaluations on the way: 0.4 %" in claims["kept"].evidence[-1]  # 1.5 times 0.3, halfway
    assert claims["not found"].decisive.startswith("from scratch minus constructed, 56 layers: +49.73 points")


def test_a_construction_that_is_wrong_or_lost_is_told(frame_of):
    frame = constructed(frame_of, {20: [0.5, 0.6, 0.4], 56: [30.0, 31.0, 30.5]})
    frame.runs.loc[frame.runs["family"] == "constructed", "training_error_at_start"] += 0.1
    claims = claims_of(frame)
    assert claims["construction"].verdict is Verdict.CONTRADICTED
    assert (
        claims["construction"].decisive == "2 depths, at worst +0.1 points above the trained plain-20 (rounding: 0.05)"
    )
    assert claims["kept"].verdict is Verdict.CONTRADICTED
    assert "95 % lower bound" in claims["kept"].decisive  # the side that the verdict rests on


def test_a_constructed_net_may_be_better_than_its_parent(frame_of):
    frame = constructed(frame_of, {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]})
    frame.runs.loc[frame.runs["family"] == "constructed", "training_error_at_start"] -= 0.1
    assert claims_of(frame)["construction"].verdict is Verdict.REPRODUCED


def test_with_exact_statistics_the_construction_is_not_exact_and_is_not_judged(frame_of):
    frame = constructed(frame_of, {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]})
    frame.runs["config.model.bn_statistics"] = "exact"
    claims = claims_of(frame)
    assert claims["construction"].verdict is Verdict.NOT_TESTED
    assert claims["kept"].verdict is Verdict.REPRODUCED


def test_the_construction_has_no_running_error_to_compare(frame_of):
    frame = replace(constructed(frame_of, {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}), kind="running")
    assert {claim.verdict for claim in claims_of(frame).values()} == {Verdict.NOT_TESTED}


def test_nets_that_are_grown_from_different_depths_are_not_averaged(frame_of, joined):
    frames = [constructed(frame_of, {32: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}) for _ in range(2)]
    frames[1].runs.loc[frames[1].runs["family"] == "constructed", "config.model.grown_from"] = 26
    both = Frame(pd.concat([one.runs for one in frames], ignore_index=True), frames[0].curves)
    assert compare(both, 2.0) == []
    assert [label for label, _ in conditions(both)] == ["model.grown_from=20", "model.grown_from=26"]


def test_constructed_nets_with_one_seed_are_not_tested(frame_of):
    frame = constructed(frame_of, {20: [0.5], 56: [0.2]})
    assert {claim.verdict for claim in claims_of(frame).values()} == {Verdict.NOT_TESTED}


def test_a_best_rate_is_not_known_while_runs_are_missing(joined):
    both = {"plain": PLAIN, "residual": LOW}
    frame = joined(*((both, {"config.optim.lr": lr}) for lr in (0.01, 0.1)))
    assert {claim.verdict for claim in claims_of(frame).values()} == {Verdict.REPRODUCED}
    notes = claims_of(frame)["the fix, best lr"].notes
    assert any(note.startswith("best at the edge of the rates tried") for note in notes)
    missing = frame.where(frame.runs.index)
    missing.runs.loc[missing.runs["config.optim.lr"] == 0.1, "state"] = "missing"
    claims = claims_of(missing)
    assert {claim.verdict for claim in claims.values()} == {Verdict.NOT_TESTED}
    assert claims["the fix, best lr"].decisive == "12 of 24 runs are missing, so a best rate is not known"


def test_nets_tried_at_different_rates_are_not_set_side_by_side(joined):
    frame = joined(
        ({"plain": PLAIN, "residual": LOW}, {"config.optim.lr": 0.01}), ({"residual": LOW}, {"config.optim.lr": 0.1})
    )
    assert {claim.verdict for claim in claims_of(frame).values()} == {Verdict.NOT_TESTED}


def test_runs_of_one_condition_have_no_comparison(frame_of):
    assert compare(frame_of({"plain": PLAIN, "residual": LOW}), 2.0) == []


def test_two_things_that_vary_at_once_are_not_compared(joined):
    frame = joined(
        ({"residual": LOW}, {"config.optim.lr": 0.1, "config.model.shortcut": "A"}),
        ({"residual": LOW}, {"config.optim.lr": 0.2, "config.model.shortcut": "B"}),
    )
    assert compare(frame, 2.0) == []


def test_a_paired_difference_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3); t(0.95, 2) = 2.920."""
    difference = paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert difference.mean == 2.0
    assert difference.upper == pytest.approx(2 + 2.920 / 3**0.5, abs=1e-3)
    assert difference.lower == pytest.approx(2 - 2.920 / 3**0.5, abs=1e-3)


def test_a_comparison_has_its_figure_table_and_verdicts_in_the_report(frame_of, joined, tmp_path):
    style.apply()
    both, pre = {"plain": PLAIN, "residual": LOW}, {"preactivation": LOW}
    options = [({"residual": LOW}, shortcut(option)) for option in "AC"]
    frames = {
        "shortcuts": joined(({"plain": PLAIN}, shortcut("none")), *options),
        "learning-rate": joined(*((both, {"config.optim.lr": lr}) for lr in (0.01, 0.1))),
        "longer": joined(*((both, schedule(length)) for length in (400, 1200))),
        "order": joined((both, {"config.model.order": "post"}), (pre, {"config.model.order": "pre"})),
        "construction": constructed(frame_of, {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}),
    }
    for name, frame in frames.items():
        (comparison,) = compare(frame, 2.0)
        assert set(comparison.figures) == {name}
        assert len(comparison.table) >= 4
    report = build(frames["construction"], tmp_path, "mine", "", {"digits": 2.0})
    assert (tmp_path / "construction.png").stat().st_size > 10_000
    assert len(pd.read_csv(tmp_path / "construction.csv")) == len(comparison.table)
    assert "not found" in report.page.read_text()
    assert report.verdict_table().splitlines()[0] == "The solution by construction"
