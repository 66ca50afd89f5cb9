"""Cards of claims: the answer, the question and what may settle it, in whole sentences."""

import re

import pytest

from analysis.claim import LEARNING_DEPTHS, Check, Claim, Finding, Verdict
from analysis.claims import judge
from analysis.comparisons import judge_each_comparison
from analysis.page.certainty import describe_remedy
from analysis.page.glossary import Glossary
from analysis.page.render import load_template
from analysis.page.section_views import view_claim
from analysis.seeds_needed import SeedsNeeded
from tests.support.frames import join_frames, make_frame

WORSE = {20: [1.0, 1.2, 1.1], 56: [57.0, 59.0, 58.0]}
FLAT = {20: [0.3, 0.5, 0.4], 56: [0.3, 0.2, 0.4]}
WIDE = {20: [2.0, 9.0, 3.0], 56: [5.0, 30.0, 20.0]}
AT_CHANCE = {20: [1.0, 1.2, 1.1], 56: [90.0, 89.0, 89.5]}
ONE_SEED = {20: [1.0], 56: [57.0]}
ERRORS = {"worse": WORSE, "flat": FLAT, "wide": WIDE, "chance": AT_CHANCE, "one seed": ONE_SEED}
DOUBLE_END = re.compile(r"[.?!:]\.(?!\.)")


def write_card(claim, shown_above):
    """Return the text of a claim's card."""
    environment = load_template(Glossary()).environment
    template = environment.from_string(
        '{% import "parts.html.j2" as parts with context %}'
        '{{ parts.card(claim, "h3", shown_above) }}'
    )
    html = template.render(claim=view_claim(claim, "3 seeds"), shown_above=shown_above)
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def list_claims(plain, others):
    frames = [
        make_frame({"plain": errors, "residual": FLAT}, **{"config.model.width": width})
        for width, errors in ((8, plain), (16, others))
    ]
    frame = join_frames(frames, "ab")
    swept = [
        claim for _, claims in judge_each_comparison(frame, {"digits": 2.0}) for claim in claims
    ]
    return [*swept, *judge(frames[0].runs, 2.0)]


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize("shown_above", [True, False])
@pytest.mark.parametrize("plain", ERRORS)
def test_cards_answer_in_whole_sentences(plain, shown_above):
    for claim in list_claims(ERRORS[plain], WORSE):
        text = write_card(claim, shown_above)
        assert not DOUBLE_END.search(text), text
        view = view_claim(claim, "")
        is_decided_above = shown_above and claim.verdict is not Verdict.NOT_TESTED
        assert (f"Decided by: {view.decided_by}" in text) or not is_decided_above
        assert (view.plain_line in text) or is_decided_above
        is_question = claim.statement.endswith("?")
        assert ("Question: " in text) == is_question
        assert ("What is claimed: " in text) == (not is_question)


def test_notes_that_are_sentences_get_no_second_stop():
    claim = Claim("a", "b", Verdict.REPRODUCED, "c", [], ["A sentence.", "words"])
    assert "A sentence.words." in write_card(claim, False)


@pytest.mark.parametrize(
    ("claim", "remedy"),
    [
        (Claim("a", "", Verdict.INCONCLUSIVE, ""), "more seeds"),
        (
            Claim("a", "", Verdict.INCONCLUSIVE, "", seeds_needed=SeedsNeeded(12)),
            "about 12 seeds per network (80 % probability, if means and spread over seeds are as"
            " measured)",
        ),
        (Finding("a", "", Verdict.INCONCLUSIVE, "", remedy=LEARNING_DEPTHS), LEARNING_DEPTHS),
        (Claim("a", "", Verdict.REPRODUCED, ""), ""),
        (Claim("a", "", Verdict.NOT_TESTED, ""), ""),
        (Check("a", "", Verdict.INCONCLUSIVE, ""), ""),
    ],
)
def test_open_claims_say_what_may_settle_them(claim, remedy):
    assert describe_remedy(claim) == remedy


def test_depths_at_chance_are_not_settled_by_more_seeds():
    claims = {claim.name: claim for claim in list_claims(AT_CHANCE, AT_CHANCE)}
    for name in ("degradation", "size of degradation by width"):
        assert "What may settle it: depths at which the networks learn" in write_card(
            claims[name], False
        )
        assert "untrained" not in write_card(claims[name], False)


def test_note_that_introduces_the_section_is_not_repeated():
    claim = Claim("a", "b", Verdict.REPRODUCED, "c", [], ["With the width varies x.", "other"])
    assert view_claim(claim, "", "With the width varies x.").notes == ["other"]
