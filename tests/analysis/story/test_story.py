"""The story of *Why*: each outcome has its own text, and words never exceed a verdict."""

import math
import re

import pytest

from analysis.claim import Claim, Verdict
from analysis.claims import FAMILY_PAIRS
from analysis.story import (
    convergence,
    gradient_flow,
    gradient_identity,
    landscape,
    lead,
    lesions,
    paths,
    responses,
    shattering,
)
from analysis.story.gradient_flow import MeasuredPattern, Pattern
from analysis.story.wording import Takeaway

PAIR = FAMILY_PAIRS[0]
OPEN = ("not settled", "open")
UNTESTED = ("cannot",)
# Step, the claims that it rests on, and further arguments of `tell`
STEPS = [
    (convergence, ["less slowing with depth, residual", "exponentially slow"], ()),
    (gradient_flow, ["healthy norms, plain", "healthy norms, residual"], ((),)),
    (shattering, ["shattered gradients"], ()),
    (paths, ["short paths"], ()),
    (responses, ["weaker responses", "weaker with depth"], ()),
    (lesions, ["lesions"], ()),
]


def make_claims(names, verdict):
    return [Claim(name, "", verdict, "") for name in names]


def split_sentences(text):
    return re.split(r"(?<!al)[.?!] ", text)


@pytest.mark.parametrize(("step", "names", "more"), STEPS)
def test_each_outcome_has_a_text_of_three_sentences(step, names, more):
    texts = {}
    for verdict in Verdict:
        text = step.tell(make_claims(names, verdict), PAIR, *more)
        assert len(split_sentences(text)) == 3
        assert len(text.split()) <= 75
        assert "{" not in text
        texts[verdict] = split_sentences(text)[1]
    assert len(set(texts.values())) == len(Verdict)
    assert any(word in texts[Verdict.INCONCLUSIVE] for word in OPEN)
    assert any(word in texts[Verdict.NOT_TESTED] for word in UNTESTED)
    for verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
        assert not any(word in texts[verdict] for word in (*OPEN, *UNTESTED))
    without_claims = step.tell([], PAIR, *more)
    assert split_sentences(without_claims)[1] == texts[Verdict.NOT_TESTED]


@pytest.mark.parametrize(("step", "names", "more"), STEPS)
def test_lead_repeats_the_verdict_of_each_tested_claim(step, names, more):
    more = ((), None) if step is gradient_flow else more
    for verdict in Verdict:
        takeaways = step.list_lead(make_claims(names, verdict), PAIR, *more)
        tested = 0 if verdict is Verdict.NOT_TESTED else len(names)
        assert [takeaway.verdict for takeaway in takeaways] == [verdict] * tested
        for takeaway in takeaways:
            assert takeaway.clause.startswith("whether") == (verdict is Verdict.INCONCLUSIVE)


def test_lead_begins_with_what_contradicts():
    takeaways = [
        Takeaway(Verdict.REPRODUCED, "a"),
        Takeaway(Verdict.INCONCLUSIVE, "whether b"),
        Takeaway(Verdict.CONTRADICTED, "c"),
        Takeaway(Verdict.CONTRADICTED, "d"),
    ]
    assert lead.write_lead(takeaways).splitlines() == [
        "Against the textbook or the papers: c; d.",
        "As reported: a.",
        "Not settled: whether b.",
    ]
    assert lead.write_lead([]) == lead.NOTHING_TESTED


def test_mixed_verdicts_are_told_apart():
    claims = [
        Claim("less slowing with depth, residual", "", Verdict.CONTRADICTED, ""),
        Claim("exponentially slow", "", Verdict.REPRODUCED, ""),
    ]
    text = convergence.tell(claims, PAIR)
    assert "faster with depth in residual than in plain" in text
    assert "exponentially, as He et al. 2015 conjecture" in text


def test_negligible_effect_is_called_so():
    small = Claim("weaker responses", "", Verdict.CONTRADICTED, "", is_negligible=True)
    assert responses.tell([small], PAIR).count("negligible") == 1
    opposite = make_claims(["weaker responses"], Verdict.CONTRADICTED)
    assert "negligible" not in responses.tell(opposite, PAIR)


def measured(depth, iteration, pattern, reaches_start=True):
    return MeasuredPattern(depth, iteration, pattern, reaches_start)


PATTERNS = [
    measured(20, 0, Pattern.HEALTHY),
    measured(20, 400, Pattern.HEALTHY),
    measured(56, 0, Pattern.EXPLODING),
    measured(56, 40, Pattern.HEALTHY),
    measured(56, 400, Pattern.UNKNOWN),
    measured(110, 0, Pattern.EXPLODING),
    measured(110, 400, Pattern.VANISHING, reaches_start=False),
]


def test_unhealthy_gradients_are_described_by_depth():
    claims = make_claims(["healthy norms, plain"], Verdict.CONTRADICTED)
    text = gradient_flow.tell(claims, PAIR, PATTERNS)
    assert (
        "Here those of plain networks explode at initialisation (56 and 110 layers), vanish in "
        "training (110 layers) and are healthy in training (20 layers)."
    ) in text


@pytest.mark.parametrize(("depth", "contradicts"), [(56, True), (110, False), (32, False)])
def test_textbook_is_contradicted_where_nothing_vanishes(depth, contradicts):
    takeaways = gradient_flow.list_lead([], PAIR, PATTERNS, depth)
    assert len(takeaways) == contradicts
    assert not gradient_flow.list_lead([], PAIR, PATTERNS, None)


def test_shares_of_the_ends_are_told():
    holds = make_claims(["check: the identity"], Verdict.REPRODUCED)
    text = gradient_identity.tell(holds, {20: 0.444, 32: 0.59, 110: 0.84})
    assert "44 % at 20 layers and 84 % at 110 layers." in text
    assert gradient_identity.tell(holds, {20: 0.444}).count("%") == 1
    assert gradient_identity.UNKNOWN in gradient_identity.tell(holds, {20: math.nan})
    fails = make_claims(["check: the identity"], Verdict.CONTRADICTED)
    assert gradient_identity.FAILED in gradient_identity.tell(fails, {20: 0.444})


def test_landscape_names_the_families_measured():
    text = landscape.tell({"plain": 0.027, "residual": math.nan})
    assert "at most 2.7 % of the points around a plain network lie off" in text
    assert landscape.UNKNOWN in landscape.tell({"plain": math.nan})
