"""The headline of a sweep over a key: the answer to the sweep's question."""

import pytest

from analysis.claim import Verdict
from analysis.comparisons import judge_each_comparison
from analysis.comparisons.value_sentences import describe_fixes, list_values
from analysis.headline import write_headline
from analysis.sections import Section

WORSE = {20: [1.0, 1.2, 1.1], 56: [57.0, 59.0, 58.0]}
FLAT = {20: [0.3, 0.5, 0.4], 56: [0.3, 0.2, 0.4]}
WIDE = {20: [2.0, 9.0, 3.0], 56: [5.0, 30.0, 20.0]}
UNTRAINED = {20: [1.0, 1.2, 1.1], 56: [90.0, 89.0, 89.5]}


def head(frame):
    comparisons = judge_each_comparison(frame, {"digits": 2.0})
    sections = [Section(title, 2.0, claims, {}, kind="comparison") for title, claims in comparisons]
    return write_headline(frame, sections)


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
        " networks get worse on their own training set with depth, by 57 points from 20 to 56"
        " layers. With shortcuts they do not at any of them. The rise with depth in plain"
        " networks differs by less than 2 points between width 8 and 16."
    )


def test_other_keys_have_their_names(joined):
    text = head(sweep(joined, "config.optim.batch_size", v64=WORSE, v128=WORSE))
    assert text.startswith("Changing the batch size does not cure degradation")


def test_degradation_at_no_value(joined):
    text = head(sweep(joined, v8=FLAT, v16=FLAT, residual=None))
    assert text.startswith(
        "At no width tried (8 and 16) do plain networks get worse on their own training set with"
        " depth: the largest change is -0.1 points from 20 to 56 layers."
    )


def test_degradation_at_some_values(joined):
    text = head(sweep(joined, v8=WORSE, v16=FLAT, v32=WIDE))
    assert text == (
        "Plain networks get worse on their own training set with depth at width 8 (by 57 points"
        " from 20 to 56 layers); they do not at width 16 (at most -0.1 points); at width 32 the"
        " runs do not settle it. With shortcuts they do not at any of them."
    )


def test_open_values_are_no_finding(joined):
    text = head(sweep(joined, v8=WIDE, v16=WIDE, residual=None))
    assert text.startswith("The runs do not settle at which width plain networks get worse")
    text = head(sweep(joined, v8=WORSE, v16=WIDE, residual=None))
    assert "at width 8 (by 57 points" in text
    assert "at width 16 the runs do not settle it" in text


def test_value_that_does_not_train_is_open(joined):
    text = head(sweep(joined, v8=WORSE, v16=UNTRAINED, residual=None))
    assert "at width 16 the runs do not settle it" in text


def test_unfinished_sweep_has_no_verdict(joined):
    frame = sweep(joined, v8=WORSE, v16=WORSE)
    frame.runs.loc[0, "state"] = "missing"
    frame.runs.loc[0, "training_error"] = float("nan")
    text = head(frame)
    assert text.startswith("No verdict yet on whether degradation depends on the width: 1 of 6")
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
        (["reproduced", "reproduced"], "With shortcuts they do not at any of them."),
        (["reproduced", "inconclusive"], "With shortcuts they do not at 1 of 2."),
        (["reproduced", "contradicted"], "With shortcuts they do not at 1 of 2, and do at 1."),
        (["contradicted", "inconclusive"], "With shortcuts they do so too at 1 of 2."),
        (["inconclusive", "not tested"], ""),
    ],
)
def test_shortcuts_are_counted_by_verdict(verdicts, sentence):
    by_value = {str(number): Verdict(verdict) for number, verdict in enumerate(verdicts)}
    assert describe_fixes(by_value) == sentence


def test_many_values_are_not_all_listed():
    assert list_values([f"width {width}" for width in range(8)], "width") == (
        "0, 1, 2, 3, 4, 5 and 2 more"
    )
    assert list_values(["400 iterations", "800 iterations"], "schedule length") == (
        "400 iterations and 800 iterations"
    )
