"""Any swept key is compared: where networks degrade, and whether the size differs."""

import math

import pytest
from scipy import stats

from analysis.claim import LEARNING_DEPTHS, Verdict
from analysis.comparisons import compare_conditions
from analysis.comparisons.size_by_value import contrast_sizes
from analysis.statistics import welch_difference
from tests.support.comparisons import judge_around, judge_comparisons

WIDTH = "config.model.width"
# Training errors at widths 8 and 16: the increase with depth is 10 and 4 points.
PLAIN_8 = {20: [1.0, 2.0, 3.0], 56: [10.0, 12.0, 14.0]}
PLAIN_16 = {20: [0.0, 1.0, 2.0], 56: [4.0, 5.0, 6.0]}
RESIDUAL_8 = {20: [0.5, 0.6, 0.7], 56: [2.0, 3.0, 4.0]}
RESIDUAL_16 = {20: [0.5, 0.6, 0.7], 56: [1.0, 2.0, 3.0]}
FLAT = {20: [1.0, 1.1, 0.9], 56: [1.0, 1.2, 1.1]}
STEEP = {20: [1.0, 1.1, 0.9], 56: [40.0, 41.0, 42.0]}
UNTRAINED = {20: [1.0, 1.1, 0.9], 56: [89.0, 90.0, 89.5]}


@pytest.fixture
def sweep(joined):
    """Return a function: {value: errors by family and depth}, key -> frame."""
    return lambda errors, key=WIDTH: joined(*[(e, {key: value}) for value, e in errors.items()])


@pytest.fixture
def widths(sweep):
    return sweep(
        {
            8: {"plain": PLAIN_8, "residual": RESIDUAL_8},
            16: {"plain": PLAIN_16, "residual": RESIDUAL_16},
        }
    )


def bound_by_hand(contrast, variances, level):
    """Return the lower bound of a contrast of four means of three runs each."""
    parts = [variance / 3 for variance in variances]
    freedom = sum(parts) ** 2 / sum(part**2 / 2 for part in parts)
    return contrast - stats.t.ppf(level, freedom) * math.sqrt(sum(parts))


def test_size_of_degradation_is_a_contrast_of_four_means(widths):
    """Two signs of one pair of values: Holm's bound has the level 97.5 %."""
    name = "size of degradation by width"
    lower = bound_by_hand(10 - 4, [1, 4, 1, 1], 0.975)
    line, _ = judge_around(widths, name, lower, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE)
    assert line == (
        "56 minus 20 layers, width 8 minus width 16: +6.00 points,"
        f" 95 % lower bound (Holm, 2 bounds) {lower:+.2f}"
    )
    upper = 12 - bound_by_hand(6, [1, 4, 1, 1], 0.95)
    judge_around(widths, name, upper, Verdict.INCONCLUSIVE, Verdict.REPRODUCED)
    assert judge_comparisons(widths, lower - 0.1)[name].outcome == "differs"
    undecided = judge_comparisons(widths, upper - 0.1)[name]
    assert undecided.outcome == "inconclusive"
    assert undecided.decisive_line == (
        "56 minus 20 layers, width 8 minus width 16: +6.00 points,"
        f" 95 % upper bound {upper:+.2f}, lower bound (Holm, 2 bounds) {lower:+.2f}"
    )
    assert judge_comparisons(widths, upper + 0.1)[name].outcome == "alike"


def test_fix_is_a_contrast_at_the_deepest_trained_depth(widths):
    """Plain minus residual at 56 layers: 9 points at width 8, and 3 at width 16."""
    lower = bound_by_hand(9 - 3, [4, 1, 1, 1], 0.975)
    line, _ = judge_around(
        widths, "the fix by width", lower, Verdict.CONTRADICTED, Verdict.INCONCLUSIVE
    )
    assert line.startswith("plain minus residual, 56 layers, width 8 minus width 16")


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (STEEP, STEEP, "at every value"),
        (FLAT, FLAT, "at no value"),
        (STEEP, FLAT, "not at every value"),
        (STEEP, {20: [1.0, 1.1, 0.9], 56: [1.0, 4.0, 9.0]}, "inconclusive"),
        (STEEP, UNTRAINED, "inconclusive"),
        (UNTRAINED, UNTRAINED, "inconclusive"),
        (STEEP, {20: [1.0], 56: [40.0]}, "not tested"),
    ],
)
def test_degradation_at_each_value_has_every_answer(sweep, first, second, answer):
    claims = judge_comparisons(sweep({8: {"plain": first}, 16: {"plain": second}}))
    assert claims["degradation at each width"].outcome == answer
    assert "reproduced" not in {claim.outcome for claim in claims.values()}


def test_degradation_at_each_value_is_judged_at_its_bounds(widths):
    name = "degradation at each width"
    smallest = welch_difference(PLAIN_16[56], PLAIN_16[20]).lower
    line, _ = judge_around(widths, name, smallest, Verdict.REPRODUCED, Verdict.INCONCLUSIVE)
    assert line.endswith(
        f"width 16, 56 minus 20 layers: +4.00 points, 95 % lower bound {smallest:+.2f}"
    )


def test_decisive_line_names_the_bound_not_the_increase(sweep):
    """At width 8 the increase is larger, and so uncertain that its lower bound is lower."""
    uncertain = {20: [1.0, 1.1, 0.9], 56: [10.0, 40.0, 26.0]}
    small = {20: [1.0, 1.1, 0.9], 56: [7.0, 7.1, 6.9]}
    frame = sweep({8: {"plain": uncertain}, 16: {"plain": small}})
    claim = judge_comparisons(frame)["degradation at each width"]
    assert claim.decisive_line.startswith("lowest lower bound, width 8, 56 minus 20 layers: +24.33")


def test_plain_words_name_the_value_that_decides(sweep):
    """At width 8 the change is smaller, but only that at width 16 is certain."""
    uncertain = {20: [20.0, 1.0, 9.0], 56: [1.0, 20.0, 5.0]}
    frame = sweep({8: {"plain": uncertain}, 16: {"plain": FLAT}})
    claim = judge_comparisons(frame)["degradation at each width"]
    assert claim.outcome == "not at every value"
    assert "at width 16 the error of plain networks changes by +0.1 points" in claim.plain_words
    assert claim.decisive_line.startswith("lowest upper bound, width 16,")


def test_open_finding_says_the_same_as_its_headline(sweep):
    """Where networks get worse is known at one value, also while the other is undecided."""
    uncertain = {20: [1.0, 9.0, 2.0], 56: [5.0, 30.0, 20.0]}
    frame = sweep(
        {"basic": {"plain": STEEP}, "gate": {"plain": uncertain}}, key="config.model.block"
    )
    claim = judge_comparisons(frame)["degradation at each block"]
    assert claim.outcome == "inconclusive"
    assert claim.plain_words == (
        "Plain networks get worse with depth with the block basic; with the block gate the runs do"
        " not settle it."
    )
    assert claim.headline.startswith("Plain networks get worse with depth with the block basic (")
    assert "with the block gate that is undecided" in claim.headline
    assert claim.remedy == ""


def test_value_at_chance_is_not_settled_by_more_seeds(sweep):
    frame = sweep({8: {"plain": UNTRAINED}, 16: {"plain": STEEP}})
    claim = judge_comparisons(frame)["degradation at each width"]
    assert claim.plain_words == (
        "Plain networks get worse with depth at width 16; at width 8 the runs do not settle it."
    )
    assert claim.remedy == LEARNING_DEPTHS


def test_degradation_at_each_value_needs_a_trend(sweep):
    """With three depths, the middle one must not be the worst."""
    bumpy = {20: [1.0, 1.1, 0.9], 32: [80.0, 81.0, 82.0], 56: [40.0, 41.0, 42.0]}
    frame = sweep({8: {"plain": bumpy | {44: [79.0, 78.0, 77.0]}}, 16: {"plain": STEEP}})
    claim = judge_comparisons(frame)["degradation at each width"]
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.decisive_line.startswith("width 8, trend p = ")


def test_untrained_depths_are_excluded_from_the_size(sweep):
    deep = {32: [20.0, 21.0, 22.0]}
    frame = sweep({8: {"plain": UNTRAINED | deep}, 16: {"plain": STEEP | deep}})
    claim = judge_comparisons(frame)["size of degradation by width"]
    assert claim.decisive_line.startswith("32 minus 20 layers, ")
    assert (
        "width 8: plain-56 is no better than chance: 89.5 % training error, chance is 90.0 %"
        in claim.notes
    )
    frame = sweep({8: {"plain": UNTRAINED}, 16: {"plain": STEEP}})
    claim = judge_comparisons(frame)["size of degradation by width"]
    assert claim.verdict is Verdict.INCONCLUSIVE
    assert claim.decisive_line == (
        "fewer than two depths are better than chance at every value; no better than chance:"
        " width 8: 56 layers"
    )


def test_findings_name_the_keys_that_vary_with_theirs(joined):
    batch = "config.optim.batch_size"
    frame = joined(
        ({"plain": PLAIN_8}, {WIDTH: 8, batch: 64}), ({"plain": PLAIN_16}, {WIDTH: 16, batch: 128})
    )
    claims = judge_comparisons(frame)
    assert len(claims) == 2
    for claim in claims.values():
        assert any("vary" in note and "64" in note and "128" in note for note in claim.notes)


def test_followers_that_are_equal_in_all_strata_are_said_once(joined):
    batch, rate = "config.optim.batch_size", "config.optim.name"
    frame = joined(
        *[
            ({"plain": PLAIN_8}, {rate: name, "config.optim.lr": lr, batch: size})
            for name, lr in (("adam", 0.001), ("sgd", 0.1))
            for size in (64, 128)
        ]
    )
    comparisons = compare_conditions(frame, {"digits": 2.0})
    introductions = [comparison.introduction for comparison in comparisons]
    assert (
        "With the optimiser vary: learning rate: 0.001 (optimiser adam), 0.1 (optimiser sgd)."
        in introductions
    )


@pytest.mark.parametrize("state", ["missing", "failed", "partial"])
def test_unfinished_run_leaves_findings_untested(widths, state):
    widths.runs.loc[widths.runs["run_id"] == "1:plain-d56-s0", "state"] = state
    claims = judge_comparisons(widths)
    assert {claim.outcome for claim in claims.values()} == {"not tested"}
    assert "1 of 6 width 16 plain runs" in claims["the fix by width"].decisive_line


def test_diverged_run_counts_and_is_noted(widths):
    widths.runs.loc[widths.runs["run_id"] == "1:plain-d56-s0", "state"] = "diverged"
    claim = judge_comparisons(widths)["size of degradation by width"]
    assert claim.verdict is not Verdict.NOT_TESTED
    note = "width 16: 1 of 3 runs of plain-56 diverged; a diverged run counts as chance error"
    assert note in claim.notes


def test_residual_networks_alone_are_judged(sweep):
    claims = judge_comparisons(sweep({1: {"residual": FLAT}, 2: {"residual": STEEP}}))
    assert list(claims) == ["degradation at each width", "size of degradation by width"]
    assert "residual networks" in claims["degradation at each width"].statement
    assert claims["size of degradation by width"].outcome == "differs"


def test_values_without_a_family_are_noted(sweep):
    frame = sweep(
        {8: {"plain": STEEP, "residual": FLAT}, 16: {"residual": FLAT}, 24: {"plain": STEEP}}
    )
    claims = judge_comparisons(frame)
    assert list(claims) == ["degradation at each width", "size of degradation by width"]
    assert "without plain networks: width 16" in claims["degradation at each width"].notes


def test_networks_that_share_no_depths_are_not_compared(sweep):
    frame = sweep({8: {"plain": STEEP}, 16: {"plain": {32: [1.0, 2.0], 110: [50.0, 51.0]}}})
    claim = judge_comparisons(frame)["size of degradation by width"]
    assert claim.decisive_line == "plain networks share fewer than two depths at all values"


def test_shared_plain_networks_cancel(joined, build_frame):
    """They lack the option of the block, so they are beside every value of it."""
    option = "config.model.options.scale"
    frame = joined(
        ({"plain": STEEP}, {option: None}),
        ({"residual": RESIDUAL_8}, {option: 0.5}),
        ({"residual": RESIDUAL_16}, {option: 1.0}),
    )
    claim = judge_comparisons(frame)["the fix by scale"]
    (line,) = [line for line in claim.evidence if line.startswith("scale 0.5 minus scale 1")]
    difference = welch_difference(RESIDUAL_16[56], RESIDUAL_8[56])
    assert f"bounds {difference.lower:+.2f}, {difference.upper:+.2f}" in line
    runs = build_frame({"plain": STEEP}).runs
    deep, shallow = (runs[runs["depth"] == depth] for depth in (56, 20))
    assert contrast_sizes((deep, shallow), (deep, shallow)).upper == 0


def test_strata_are_judged_apart(joined):
    frame = joined(
        *[
            ({"plain": errors}, {WIDTH: width, "config.optim.lr": lr})
            for lr, second in ((0.1, STEEP), (0.2, FLAT))
            for width, errors in ((8, STEEP), (16, second))
        ]
    )
    claims = judge_comparisons(frame)
    assert claims["size of degradation by width, learning rate 0.1"].outcome == "alike"
    assert claims["size of degradation by width, learning rate 0.2"].outcome == "differs"
    assert claims["degradation, best learning rates, width 8"].verdict is Verdict.REPRODUCED


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("text", ["null", "batch"])
def test_table_of_strata_has_an_empty_cell_for_none(joined, text):
    option = "config.model.options.norm"
    frame = joined(
        *[
            ({"residual": FLAT}, {WIDTH: width, option: value})
            for width in (8, 16)
            for value in (None, text)
        ]
    )
    width, _ = compare_conditions(frame, {"digits": 2.0})
    cells = width.table["model.options.norm"]
    assert (cells.isna().sum(), (cells == text).sum()) == (4, 4)


def test_orders_are_compared_although_their_families_differ(joined):
    frame = joined(
        ({"plain": STEEP}, {"config.model.order": "post"}),
        ({"plain-preactivation": FLAT}, {"config.model.order": "pre"}),
    )
    claim = judge_comparisons(frame)["degradation at each order"]
    assert claim.outcome == "not at every value"
    assert "plain and plain-preactivation networks" in claim.statement


def test_section_has_a_table_and_two_figures(widths):
    (comparison,) = compare_conditions(widths, {"digits": 2.0})
    assert (comparison.title, comparison.margin) == ("Width", 2.0)
    assert list(comparison.figures) == ["model-width", "model-width-against-depth"]
    row = comparison.table.query("`model.width` == 8 and family == 'plain' and depth == 56")
    assert row["training_error_mean"].item() == 12
    assert len(comparison.table) == 8


def test_pairs_that_differ_most_are_listed(sweep):
    frame = sweep({w: {"plain": {20: [1.0, 1.0], 56: [w, w + 1.0]}} for w in range(2, 8)})
    evidence = judge_comparisons(frame)["size of degradation by width"].evidence
    assert evidence[-1] == "5 further pairs differ by less"
    assert evidence[6].startswith("width 2 minus width 7: -5.00 points")


@pytest.mark.parametrize("missing", ["value", "depth"])
def test_unequal_numbers_of_seeds_are_noted(sweep, widths, missing):
    fewer = {20: [0.0, 1.0] if missing == "value" else [0.0, 1.0, 2.0], 56: [4.0, 5.0]}
    unequal = sweep({8: {"plain": PLAIN_8}, 16: {"plain": fewer}})
    number = "2" if missing == "value" else "2 to 3"
    note = (
        "plain networks have different numbers of seeds per depth"
        f" (width 8: 3; width 16: {number}); with fewer seeds, bounds are wider"
    )
    for finding in judge_comparisons(unequal, 1.0).values():
        assert note in finding.notes
    for finding in judge_comparisons(widths, 1.0).values():
        assert not any("numbers of seeds" in note for note in finding.notes)


@pytest.mark.parametrize(
    ("key", "text"),
    [("config.model.options.n", "no such option"), ("config.schedule.warmup.lr", "none")],
)
def test_absent_value_of_a_follower_is_in_words(joined, key, text):
    block = "config.model.block"
    frame = joined(
        ({"residual": PLAIN_8}, {block: "basic", key: None}),
        ({"residual": PLAIN_16}, {block: "b", key: 4.0}),
    )
    comparisons = compare_conditions(frame, {"digits": 2.0})
    assert f": 4 (block b), {text} (block basic)." in comparisons[0].introduction


def test_values_that_mean_none_are_called_none(joined):
    frame = joined(
        (
            {"plain": PLAIN_8},
            {"config.schedule.shape": "cosine", "config.schedule.milestones": "[]"},
        ),
        ({"plain": PLAIN_16}, {"config.schedule.shape": "step"}),
    )
    (comparison,) = compare_conditions(frame, {"digits": 2.0})
    assert "none (cosine schedule), [200, 300] (step schedule)" in comparison.introduction
