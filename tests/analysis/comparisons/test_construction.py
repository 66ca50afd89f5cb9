"""The solution by construction exists, is not found from scratch, and is kept."""

from dataclasses import replace

import pandas as pd
import pytest

from analysis.claim import Verdict
from analysis.comparisons import construction
from analysis.frame import Frame
from analysis.multiple_testing import bonferroni_level
from analysis.statistics import paired_difference, welch_difference
from tests.support.comparisons import PLAIN, constructed_frame, judge_around, judge_comparisons
from tests.support.conditions import list_labels

AT_START = "training_error_at_start"
IMPROVED = {20: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}
# Errors after training, and before it by seed. They are correlated within seeds, so the bounds of
# the paired difference are closer.
AFTER = {20: [0.5, 0.6, 0.4], 56: [4.1, 5.9, 6.3]}
START = [1.5, 3.1, 4.4]


def is_constructed(frame):
    return frame.runs["family"] == "constructed"


def test_all_three_claims_are_reproduced(build_frame):
    claims = judge_comparisons(constructed_frame(build_frame, IMPROVED))
    assert {name: claim.verdict for name, claim in claims.items()} == dict.fromkeys(
        (
            "a deeper solution exists",
            "training from scratch misses it",
            "further training retains it",
        ),
        Verdict.REPRODUCED,
    )
    # Halfway the error of hand-made curves is 1.5 times the last one, here 0.3.
    line = "highest error of any evaluation in between: 0.4 %"
    assert line in claims["further training retains it"].evidence[-1]
    assert claims["training from scratch misses it"].decisive_line.startswith(
        "from scratch minus constructed, 56 layers: +49.73 points"
    )


def test_sentence_says_that_training_left_the_solution_in_between(build_frame):
    """Halfway the error of hand-made curves is 1.5 times the last one: 45 % here, from 0.5 %."""
    frame = constructed_frame(build_frame, {20: [0.5, 0.6, 0.4], 56: [30.0, 30.0, 30.0]})
    words = judge_comparisons(frame)["further training retains it"].plain_words
    assert words.endswith("; in between, that of constructed-56 rose to 45.0 %.")
    kept = judge_comparisons(constructed_frame(build_frame, IMPROVED))
    assert "in between" not in kept["further training retains it"].plain_words


def test_one_image_is_within_rounding(build_frame):
    """Of 1,500 images, one is 0.067 points."""
    frame = constructed_frame(build_frame, {20: [0.5, 0.6, 0.4], 56: [30.0, 31.0, 30.5]})
    frame.runs["error_step"] = 100 / 1500
    for images, verdict in ((1, Verdict.REPRODUCED), (2, Verdict.CONTRADICTED)):
        shifted = frame.runs.copy()
        shifted.loc[is_constructed(frame), AT_START] += images * 100 / 1500
        claims = judge_comparisons(replace(frame, runs=shifted))
        assert claims["a deeper solution exists"].verdict is verdict


def test_wrong_construction_is_contradicted(build_frame):
    frame = constructed_frame(build_frame, {20: [0.5, 0.6, 0.4], 56: [30.0, 31.0, 30.5]})
    frame.runs.loc[is_constructed(frame), AT_START] += 0.1
    claims = judge_comparisons(frame)
    assert claims["a deeper solution exists"].verdict is Verdict.CONTRADICTED
    assert claims["a deeper solution exists"].decisive_line == (
        "2 depths, worst case +0.1 points above the trained plain-20 (tolerance for rounding: 0.05)"
    )
    assert claims["further training retains it"].verdict is Verdict.CONTRADICTED
    assert "95 % lower bound" in claims["further training retains it"].decisive_line


def test_constructed_network_may_be_better_than_its_parent(build_frame):
    frame = constructed_frame(build_frame, IMPROVED)
    frame.runs.loc[is_constructed(frame), AT_START] -= 0.1
    assert judge_comparisons(frame)["a deeper solution exists"].verdict is Verdict.REPRODUCED


def test_exact_bn_statistics_leave_the_construction_untested(build_frame):
    frame = constructed_frame(build_frame, IMPROVED)
    frame.runs["config.model.bn_statistics"] = "exact"
    claims = judge_comparisons(frame)
    assert claims["a deeper solution exists"].verdict is Verdict.NOT_TESTED
    assert claims["further training retains it"].verdict is Verdict.REPRODUCED


def test_running_errors_leave_all_claims_untested(build_frame):
    frame = replace(constructed_frame(build_frame, IMPROVED), error_kind="running")
    assert {claim.verdict for claim in judge_comparisons(frame).values()} == {Verdict.NOT_TESTED}


def test_networks_grown_from_different_depths_are_not_averaged(build_frame):
    frames = [
        constructed_frame(build_frame, {32: [0.5, 0.6, 0.4], 56: [0.2, 0.3, 0.1]}) for _ in range(2)
    ]
    frames[1].runs.loc[is_constructed(frames[1]), "config.model.grown_from"] = 26
    runs = pd.concat([frame.runs for frame in frames], ignore_index=True)
    both = Frame(runs, frames[0].curves)
    for name in (construction.EXISTENCE, construction.MISSED, construction.RETAINED):
        claim = judge_comparisons(both)[name]
        assert claim.verdict is Verdict.NOT_TESTED
        assert claim.decisive_line.startswith("a construction is judged where nothing else varies")
    labels = list_labels(both)
    assert labels == ["grown from 20 layers", "grown from 26 layers"]


def test_constructed_networks_with_one_seed_are_not_tested(build_frame):
    frame = constructed_frame(build_frame, {20: [0.5], 56: [0.2]})
    assert {claim.verdict for claim in judge_comparisons(frame).values()} == {Verdict.NOT_TESTED}


def test_further_training_is_judged_within_seeds(build_frame):
    frame = constructed_frame(build_frame, AFTER, START)
    worst = paired_difference(AFTER[56], START)
    assert welch_difference(AFTER[56], START).upper - worst.upper > 0.5
    _, line = judge_around(
        frame, "further training retains it", worst.upper, Verdict.INCONCLUSIVE, Verdict.REPRODUCED
    )
    bounds = f"{worst.mean:+.2f} points, 95 % upper bound {worst.upper:+.2f}"
    assert line.endswith(f"after minus before: {bounds}")
    least = worst.lower_at(bonferroni_level(2))
    line, _ = judge_around(
        frame, "further training retains it", least, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE
    )
    assert line.endswith(f"95 % lower bound (Holm, 2 bounds) {least:+.2f}")


def test_training_from_scratch_is_judged_at_its_bounds(build_frame):
    frame = constructed_frame(build_frame, AFTER, START)
    gap = welch_difference(PLAIN[56], START)
    line, _ = judge_around(
        frame,
        "training from scratch misses it",
        gap.lower,
        Verdict.REPRODUCED,
        Verdict.INCONCLUSIVE,
    )
    assert line.endswith(f"95 % lower bound {gap.lower:+.2f}")
    _, line = judge_around(
        frame,
        "training from scratch misses it",
        gap.upper,
        Verdict.INCONCLUSIVE,
        Verdict.CONTRADICTED,
    )
    assert line.endswith(f"95 % upper bound {gap.upper:+.2f}")
    assert (
        "; paired by seed: one-sided"
        in judge_comparisons(frame)["training from scratch misses it"].evidence[-1]
    )


@pytest.mark.parametrize(
    ("excess", "verdict"), [(0.0499, Verdict.REPRODUCED), (0.0501, Verdict.CONTRADICTED)]
)
def test_construction_is_exact_up_to_rounding(build_frame, excess, verdict):
    frame = constructed_frame(build_frame, IMPROVED)
    frame.runs.loc[frame.runs["run_id"] == "constructed-d56-s1", AT_START] += excess
    assert judge_comparisons(frame)["a deeper solution exists"].verdict is verdict


def test_repeated_parent_leaves_the_construction_untested(build_frame):
    frame = constructed_frame(build_frame, IMPROVED)
    frame.runs.loc[frame.runs["run_id"] == "plain-d20-s2", "seed"] = 0
    claims = judge_comparisons(frame)
    assert {name: claim.verdict for name, claim in claims.items()} == {
        "a deeper solution exists": Verdict.NOT_TESTED,
        "training from scratch misses it": Verdict.NOT_TESTED,
        "further training retains it": Verdict.REPRODUCED,
    }
    line = "seed 0 of the trained plain-20 is recorded twice: run ids"
    assert line in claims["a deeper solution exists"].decisive_line


def test_unknown_start_leaves_the_claims_untested(build_frame):
    frame = constructed_frame(build_frame, IMPROVED)
    frame.runs.loc[frame.runs["run_id"] == "constructed-d56-s1", AT_START] = float("nan")
    claims = judge_comparisons(frame)
    assert {claim.verdict for claim in claims.values()} == {Verdict.NOT_TESTED}
    assert (
        "is not known for every constructed network of 56"
        in claims["further training retains it"].decisive_line
    )
    assert not any("nan" in claim.plain_words for claim in claims.values())
