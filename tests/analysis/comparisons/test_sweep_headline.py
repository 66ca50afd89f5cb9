"""The headline of a sweep over a key: the answer to the sweep's question."""

import re

import pytest

from analysis.claim import Claim, Verdict
from analysis.claims import judge
from analysis.comparisons import construction, judge_each_comparison
from analysis.comparisons.value_sentences import describe_fixes, join_labels, join_values, locate
from analysis.conditions import list_conditions
from analysis.headline import write_headline
from analysis.sections import Section
from tests.support.frames import make_frame

WORSE = {20: [1.0, 1.2, 1.1], 56: [57.0, 59.0, 58.0]}
FLAT = {20: [0.3, 0.5, 0.4], 56: [0.3, 0.2, 0.4]}
WIDE = {20: [2.0, 9.0, 3.0], 56: [5.0, 30.0, 20.0]}
UNTRAINED = {20: [1.0, 1.2, 1.1], 56: [90.0, 89.0, 89.5]}


def head(frame):
    comparisons = judge_each_comparison(frame, {"digits": 2.0})
    sections = [Section(title, 2.0, claims, {}, kind="comparison") for title, claims in comparisons]
    for condition in list_conditions(frame):
        claims, run_ids = judge(condition.frame.runs, 2.0), tuple(condition.frame.runs["run_id"])
        sections.append(Section(condition.label, 2.0, claims, {}, run_ids=run_ids))
    headline = write_headline(frame, sections)
    return f"{headline.first} {headline.others}".strip()


def sweep(joined, key="config.model.width", residual=FLAT, **values):
    """Return the frame of plain networks, and residual ones, at the values `v8`, `v16` ..."""
    conditions = []
    for value, plain in values.items():
        errors = {"plain": plain} | ({"residual": residual} if residual else {})
        conditions.append((errors, {key: int(value.removeprefix("v"))}))
    return joined(*conditions)


def test_degradation_at_every_value(joined):
    assert head(sweep(joined, v8=WORSE, v16=WORSE)) == (
        "Changing the width does not cure degradation: at each value tried (8 and 16) plain"
        " networks get worse with depth, by 57 points of training error from 20 to 56 layers."
        " Networks with shortcuts do not get worse by 2 points or more at any value. The rise from"
        " 20 to 56 layers in plain networks differs by less than 2 points between width 8 and 16."
    )


def test_value_without_plain_networks_is_not_tried(joined):
    """Two values have plain networks; nothing is said about them at the third."""
    key = "config.model.width"
    alone = ({"residual": FLAT}, {key: 32})
    pairs = [({"plain": WORSE, "residual": FLAT}, {key: width}) for width in (8, 16)]
    text = head(joined(*pairs, alone))
    assert "at width 8 and 16 plain networks get worse" in text
    assert "between width 8 and 16." in text
    pairs = [({"plain": FLAT, "residual": FLAT}, {key: width}) for width in (8, 16)]
    assert head(joined(*pairs, alone)).startswith("At none of width 8 and 16 do plain networks")


def test_shortcuts_that_fail_are_the_subject(joined):
    """Plain networks do not get worse, those with shortcuts do."""
    text = head(sweep(joined, v8=FLAT, v16=FLAT, residual=WORSE))
    assert " Networks with shortcuts get worse at every value." in text
    assert "they do so too" not in text


def test_other_keys_have_their_names(joined):
    text = head(sweep(joined, "config.optim.batch_size", v64=WORSE, v128=WORSE))
    assert text.startswith("Changing the batch size does not cure degradation")


def test_degradation_at_no_value(joined):
    text = head(sweep(joined, v8=FLAT, v16=FLAT, residual=None))
    assert text.startswith(
        "At no width tried (8 and 16) do plain networks get worse by 2 points or more with depth:"
        " the largest mean change is -0.1 points of training error from 20 to 56 layers."
    )


def test_degradation_at_some_values(joined):
    text = head(sweep(joined, v8=WORSE, v16=FLAT, v32=WIDE))
    assert text == (
        "Plain networks get worse with depth at width 8 (by 57 points of training error from 20 to"
        " 56 layers); not by 2 points or more at width 16 (largest mean change -0.1 points); at"
        " width 32 that is undecided. Networks with shortcuts do not get worse by 2 points or more"
        " at any value."
    )


def test_open_values_are_no_finding(joined):
    text = head(sweep(joined, v8=WIDE, v16=WIDE, residual=None))
    assert text.startswith("The runs do not settle at which width plain networks get worse")
    text = head(sweep(joined, v8=WORSE, v16=WIDE, residual=None))
    assert "at width 8 (by 57 points" in text
    assert "at width 16 that is undecided" in text


def test_value_that_does_not_train_is_open(joined):
    text = head(sweep(joined, v8=WORSE, v16=UNTRAINED, residual=None))
    assert "at width 16 that is undecided" in text


def test_networks_at_chance_are_named_where_others_do_not_get_worse(joined):
    plain = {20: FLAT[20], 32: FLAT[56], 56: UNTRAINED[56]}
    text = head(sweep(joined, v8=plain, v16=plain, residual=None))
    assert text.startswith("At no width tried (8 and 16) do plain networks get worse by 2 points")
    assert "(no better than chance: width 8: 56 layers; width 16: 56 layers)." in text


def test_depths_that_are_compared_are_those_better_than_chance(joined):
    plain = {20: WORSE[20], 32: [30.0, 31.0, 32.0], 56: UNTRAINED[56]}
    text = head(sweep(joined, v8=plain, v16=WORSE, residual=None))
    assert "from the shallowest to the deepest that is better than chance" in text


def test_values_are_named_jointly_with_95_percent_confidence(joined):
    """Of ten values, one is beyond the margin by its own bound, but not by that of ten."""
    slightly_worse = {20: [1.0, 1.2, 1.1], 56: [4.0, 5.0, 4.5]}
    alone = head(sweep(joined, v8=slightly_worse, v16=slightly_worse, residual=None))
    assert "get worse with depth" in alone
    others = {f"v{width}": WIDE for width in range(20, 29)}
    text = head(sweep(joined, v8=slightly_worse, residual=None, **others))
    assert text.startswith("The runs do not settle at which width plain networks get worse")


def test_trend_counts_among_what_holds_jointly(joined):
    """The deepest networks are worse at both widths; at one, those between are worse still."""
    rising = {20: [1.0, 1.2, 1.1], 32: [20.0, 21.0, 22.0], 56: [57.0, 59.0, 58.0]}
    falling = {20: [1.0, 1.2, 1.1], 32: [80.0, 81.0, 82.0], 56: [10.0, 40.0, 25.0]}
    text = head(sweep(joined, v8=rising, v16=falling, residual=None))
    assert "get worse with depth at width 8" in text
    assert "at width 16 that is undecided" in text


def test_open_finding_says_whether_its_headline_states_something(joined):
    frames = {
        True: sweep(joined, v8=WORSE, v16=WIDE, residual=None),
        False: sweep(joined, v8=WIDE, v16=WIDE, residual=None),
    }
    for states_values, frame in frames.items():
        ((_, claims),) = judge_each_comparison(frame, {"digits": 2.0})
        assert claims[0].verdict is Verdict.INCONCLUSIVE
        assert claims[0].states_values == states_values


def test_values_where_shortcuts_help_are_named_jointly(joined):
    """Below the margin by its own bound (p = 0.02), but not by that of four values."""
    key = "config.model.width"
    slightly_worse = {20: [1.0, 1.2, 1.1], 56: [1.3, 2.3, 1.6]}
    certain = ({"plain": WORSE, "residual": slightly_worse}, {key: 8})
    same = ({"plain": WORSE, "residual": slightly_worse}, {key: 16})
    assert "shortcuts do not get worse by 2 points or more at any value" in head(
        joined(certain, same)
    )
    others = [({"plain": WORSE, "residual": WIDE}, {key: width}) for width in (16, 32, 64)]
    assert "Networks with shortcuts" not in head(joined(certain, *others))


def test_unfinished_sweep_has_no_verdict(joined):
    frame = sweep(joined, v8=WORSE, v16=WORSE)
    frame.runs.loc[0, "state"] = "missing"
    frame.runs.loc[0, "training_error"] = float("nan")
    text = head(frame)
    assert "No verdict yet on whether degradation depends on the width: 1 of 6" in text
    assert text.endswith("Of 24 runs, 1 has not finished.")


def test_crossed_keys_name_each_stratum(joined):
    conditions = [
        ({"plain": plain}, {"config.model.width": width, "config.optim.batch_size": batch})
        for batch, plain in ((64, WORSE), (128, FLAT))
        for width in (8, 16)
    ]
    text = head(joined(*conditions))
    assert "Batch size 64: Changing the width does not cure degradation" in text
    assert "Batch size 128: At no width tried" in text


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["reproduced", "reproduced"], "do not get worse by 2 points or more at any value"),
        (
            ["reproduced", "inconclusive"],
            "do not get worse by 2 points or more at width 0; at width 1 that is undecided",
        ),
        (
            ["reproduced", "contradicted"],
            "do not get worse by 2 points or more at width 0; they do at width 1",
        ),
        (["contradicted", "contradicted"], "get worse at every value"),
        (["contradicted", "inconclusive"], "get worse at width 0; at width 1 that is undecided"),
        (["inconclusive", "not tested"], ""),
        (
            ["reproduced", "not tested"],
            "do not get worse by 2 points or more at width 0; at width 1 that is not tested",
        ),
    ],
)
def test_values_are_named_where_shortcuts_help(verdicts, sentence):
    by_value = {f"width {number}": Verdict(verdict) for number, verdict in enumerate(verdicts)}
    expected = sentence and f"Networks with shortcuts {sentence}."
    assert describe_fixes(by_value, "width", 2.0) == expected


def test_middle_value_that_behaves_otherwise_is_named(joined):
    """Neither end degrades; a sentence about the ends alone would deny what is between them."""
    text = head(sweep(joined, v8=FLAT, v16=WORSE, v32=FLAT))
    assert text.startswith(
        "Plain networks get worse with depth at width 16 (by 57 points of training error from 20"
        " to 56 layers); not by 2 points or more at width 8 and 32 (largest mean change -0.1"
        " points)."
    )


def test_size_is_stated_at_every_value(joined):
    halves = {20: [1.0, 1.2, 1.1], 56: [30.0, 31.0, 29.0]}
    frame = sweep(joined, v8=WORSE, v16=WORSE, v32=halves)
    sizes = [
        claim.plain_words
        for _, claims in judge_each_comparison(frame, {"digits": 2.0})
        for claim in claims
        if claim.name == "size of degradation by width"
    ]
    assert sizes == [
        "The rise from 20 to 56 layers in plain networks is 28 points larger at width 8 than at"
        " width 32 (8: +57, 16: +57, 32: +29)."
    ]


@pytest.mark.slow
def test_headline_of_crossed_keys_has_two_short_sentences(joined):
    conditions = [
        ({"plain": plain, "residual": FLAT}, {"config.model.width": w, "config.optim.lr": rate})
        for rate, plain in ((0.1, WORSE), (0.2, FLAT), (0.4, WIDE))
        for w in (8, 16, 32)
    ]
    frame = joined(*conditions)
    comparisons = judge_each_comparison(frame, {"digits": 2.0})
    sections = [Section(title, 2.0, claims, {}, kind="comparison") for title, claims in comparisons]
    headline = write_headline(frame, sections)
    sentences = re.findall(r".+?[.](?= [A-Z]|$)", headline.first)
    assert len(sentences) == 2
    assert all(len(sentence.split()) <= 40 for sentence in sentences)
    assert "Learning rate 0.2" in headline.others


@pytest.mark.slow
def test_many_strata_are_counted(joined):
    conditions = []
    for number, batch in enumerate((16, 32, 64, 128, 256)):
        worse = {20: WORSE[20], 56: [error + 5 * number for error in WORSE[56]]}
        for width in (8, 16):
            keys = {"config.model.width": width, "config.optim.batch_size": batch}
            conditions.append(({"plain": worse}, keys))
    text = head(joined(*conditions))
    assert text.count("does not cure degradation") == 3
    assert "differs by less" not in text
    assert text.endswith(" ... and 3 more.")


def test_equal_answers_of_several_strata_are_one_sentence(joined):
    """Two keys are crossed: each has its sentence, and none is repeated."""
    conditions = [
        ({"plain": WORSE}, {"config.model.width": width, "config.optim.batch_size": batch})
        for batch in (16, 32, 64)
        for width in (8, 16)
    ]
    text = head(joined(*conditions))
    assert "Batch size 16, 32 and 64: Changing the width does not cure degradation" in text
    assert "Width 8 and 16: Changing the batch size does not cure degradation" in text
    assert text.count("does not cure degradation") == 2


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["cosine schedule", "step schedule"], "cosine schedule and step schedule"),
        (["batch size 16", "batch size 32"], "batch size 16 and 32"),
        (["width 8, lr 1", "width 8, lr 2"], "width 8, lr 1 and width 8, lr 2"),
        (["no warm-up"], "no warm-up"),
    ],
)
def test_labels_of_strata_share_their_first_words(labels, expected):
    assert join_labels(labels) == expected


def test_untested_comparison_does_not_lead(joined):
    """At the value that has finished, the paper's claims are reproduced."""
    frame = sweep(joined, v8=WORSE, v16=WORSE)
    is_lost = frame.runs["config.model.width"] == 16
    frame.runs.loc[is_lost, "state"] = "failed"
    frame.runs.loc[is_lost, "training_error"] = float("nan")
    text = head(frame)
    assert text.startswith("Width 8: Plain networks get worse")
    assert "Width 16: no run has finished yet (12 failed)." in text
    assert text.count("No verdict yet on whether degradation depends on the width") == 1


def test_reason_of_several_claims_is_given_once():
    reason = "6 of 6 constructed runs are missing"
    claims = [
        Claim.not_tested(name, "", [reason])
        for name in (construction.EXISTENCE, construction.RETAINED)
    ]
    frame = make_frame({"plain": WORSE, "constructed": FLAT})
    is_lost = frame.runs["family"] == "constructed"
    frame.runs.loc[is_lost, "state"] = "missing"
    plain = frame.runs[~is_lost]
    sections = [
        Section("", 2.0, claims, {}, kind="comparison"),
        Section("", 2.0, judge(plain, 2.0), {}, run_ids=tuple(plain["run_id"])),
    ]
    text = write_headline(frame, sections).first
    assert text.startswith("Plain networks get worse")
    assert text.count(reason) == 1


def test_many_values_are_not_all_listed():
    assert join_values([f"width {width}" for width in range(8)], "width") == (
        "0, 1, 2, 3, 4, 5 and 2 more"
    )
    assert join_values(["400 iterations", "800 iterations"], "schedule length") == (
        "400 iterations and 800 iterations"
    )


@pytest.mark.parametrize(
    ("labels", "name", "expected"),
    [
        (["width 8", "width 16"], "width", "at width 8 and 16"),
        (["learning rate 1e-3"], "learning rate", "at learning rate 1e-3"),
        (["400 iterations"], "schedule length", "at 400 iterations"),
        (["optimiser adam"], "optimiser", "with the optimiser adam"),
        (["block basic", "block gate"], "block", "with the block basic and gate"),
        (["cosine schedule"], "learning-rate schedule", "with the cosine schedule"),
        (["no warm-up"], "longest warm-up", "with no warm-up"),
    ],
)
def test_place_of_a_value_in_a_sentence(labels, name, expected):
    assert locate(labels, name) == expected
