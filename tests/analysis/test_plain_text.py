"""Numbers and lists in plain sentences."""

import pytest

from analysis.claim import Verdict
from analysis.plain_text import (
    end_sentence,
    format_amount,
    format_change,
    format_percents,
    join_words,
    keep_numbers,
)
from analysis.plain_words import Bound, describe_absence, describe_gain, describe_rise

BOUND = Bound(3.0, "lower")


@pytest.mark.parametrize(
    ("value", "text"),
    [(57.02, "57"), (9.97, "10"), (9.94, "9.9"), (-1.06, "1.1"), (0.04, "0.04"), (0.0, "0")],
)
def test_amounts_have_as_many_digits_as_matter(value, text):
    assert format_amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(57.02, "+57"), (-0.3, "-0.3"), (0.0, "0"), (0.004, "+0.004"), (-0.0001, "0")],
)
def test_changes_have_a_sign(value, text):
    assert format_change(value) == text


def test_close_percentages_keep_their_decimals():
    assert format_percents([1.07, 58.09]) == ["1.1 %", "58 %"]
    assert format_percents([24.6, 25.4]) == ["24.6 %", "25.4 %"]
    assert format_percents([0.0, 0.04]) == ["0 %", "0.04 %"]
    assert format_percents([9.97, 10.3]) == ["10.0 %", "10.3 %"]
    assert format_percents([9.6, 9.97]) == ["9.6 %", "10.0 %"]
    assert format_percents([0.004, 0.0]) == ["0.004 %", "0 %"]


def test_words_are_joined():
    assert [join_words(["a", "b", "c"][:count]) for count in range(4)] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("describe", "shown"),
    [
        (
            lambda verdict: describe_rise(verdict, "plain networks", 20, 56, 12.0, 2.0, BOUND),
            "REPRODUCED",
        ),
        (
            lambda verdict: describe_absence(verdict, "nets", 20, 56, 12.0, 2.0, BOUND),
            "CONTRADICTED",
        ),
        (lambda verdict: describe_gain(verdict, 56, 12.0, 2.0, BOUND), "REPRODUCED"),
    ],
)
def test_only_what_was_shown_is_said_without_doubt(describe, shown):
    texts = {verdict: describe(verdict) for verdict in list(Verdict)[:3]}
    for verdict, text in texts.items():
        assert text.endswith(".")
        assert len(text.split()) <= 32
        is_certain = " is 12 points higher" in text or " lower " in text
        assert is_certain == (verdict is Verdict[shown])
    assert texts[Verdict.INCONCLUSIVE].endswith(" exceeds 2 is open.")


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (Bound(0.04, "upper"), "at most 0.04 points worse than those of 20 layers, with 95 %"),
        (Bound(-0.3, "upper"), "at least 0.3 points better than those of 20 layers, with 95 %"),
    ],
)
def test_absence_is_said_by_its_bound(bound, words):
    text = describe_absence(Verdict.REPRODUCED, "residual networks", 20, 56, -0.5, 2.0, bound)
    assert f"Deeper residual networks are {words}" in text


def test_number_and_percent_sign_stay_together():
    assert keep_numbers("1.1 % at 20 layers") == "1.1\u00a0% at 20 layers"


@pytest.mark.parametrize(
    ("text", "sentence"), [("a", "a."), ("a.", "a."), ("a?", "a?"), ("(a)", "(a).")]
)
def test_sentences_get_one_stop(text, sentence):
    assert end_sentence(text) == sentence
