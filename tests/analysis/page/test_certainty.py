"""How sure an outcome is, in plain words, for every outcome."""

from types import SimpleNamespace

import pytest

from analysis.claim import Check, Claim, Finding, Verdict
from analysis.page.certainty import STATED, describe_certainty, join_certainties
from analysis.page.outline import Outline
from analysis.seeds_needed import SeedsNeeded

YES, NO, OPEN, MISSING = (
    Verdict.REPRODUCED,
    Verdict.CONTRADICTED,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_TESTED,
)


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (Claim("a", "", YES, ""), "With 95 % confidence, from 3 seeds."),
        (Claim("a", "", NO, ""), "Contradicted with 95 % confidence, from 3 seeds."),
        (Claim("a", "", OPEN, ""), "Not settled; 3 seeds leave both answers open."),
        (
            Claim("a", "", OPEN, "", seeds_needed=SeedsNeeded(12)),
            "Not settled by 3 seeds; about 12 per network probably would settle it.",
        ),
        (
            Claim("a", "", OPEN, "", seeds_needed=SeedsNeeded(None)),
            "Not settled by 3 seeds; the difference is too close to the margin for any number.",
        ),
        (Claim("a", "", MISSING, ""), "Not known; these runs cannot test it."),
        (
            Claim("a", "", YES, "", is_negligible=True),
            "Too small to matter, with 95 % confidence, from 3 seeds.",
        ),
        (
            Finding("a", "", NO, "", answer="differs"),
            "With 95 % confidence, from 3 seeds.",
        ),
        (Finding("a", "", OPEN, ""), "Not settled; 3 seeds leave both answers open."),
        (Check("a", "", YES, ""), ""),
    ],
)
def test_every_outcome_says_how_sure_it_is(claim, text):
    assert describe_certainty(claim, "3 seeds") == text


def test_claims_that_are_equally_sure_share_a_line():
    assert join_certainties(["Sure.", "Sure.", "Sure."]) == "Each verdict below: sure."
    assert join_certainties(["Sure.", "Not settled.", "Sure."]) == ""
    assert join_certainties(["Sure."]) == join_certainties(["", ""]) == ""


@pytest.mark.parametrize(("stated", "line"), [([False, True], STATED), ([False, False], "")])
def test_headline_of_a_comparison_is_certain_if_it_states_something(stated, line):
    """An open question beside what is stated does not call the headline open."""
    claims = [SimpleNamespace(states_something=is_stated) for is_stated in stated]
    outline = Outline([SimpleNamespace(claims=claims)], conditions=[], mechanisms=[])
    assert outline.certainty_line() == line
    assert outline.shared_certainty() == ""


def test_decided_claim_beside_an_open_one_does_not_repeat_its_confidence():
    sure, unsure = (
        SimpleNamespace(certainty=text, is_decided=is_decided)
        for text, is_decided in (("Sure.", True), ("Not settled.", False))
    )
    outline = Outline([], [SimpleNamespace(claims=[sure, unsure])], mechanisms=[])
    assert outline.own_certainty(sure) == ""
    assert outline.own_certainty(unsure) == "Not settled."
    equal = Outline([], [SimpleNamespace(claims=[sure, sure])], mechanisms=[])
    assert equal.certainty_line() == "Each verdict below: sure."
    assert equal.own_certainty(sure) == ""
