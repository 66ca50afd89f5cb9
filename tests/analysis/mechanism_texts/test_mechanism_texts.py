"""The texts of *Why*: each outcome has its own, and words never exceed a verdict."""

import math

import pytest

from analysis.claim import Claim, Verdict
from analysis.family_pairs import FAMILY_PAIRS
from analysis.mechanism_texts import (
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
from analysis.mechanism_texts.gradient_flow import MeasuredPattern, Pattern
from analysis.mechanism_texts.wording import LeadItem, Role

PAIR = FAMILY_PAIRS[0]
OPEN = ("not settled", "open")
UNTESTED = ("cannot",)
# Step, the claims that it rests on, and further arguments of `tell`
STEPS = [
    (convergence, ["less slowing with shortcuts", "exponential slowing"], ({},)),
    (gradient_flow, ["healthy gradients, plain", "healthy gradients, residual"], ((),)),
    (shattering, ["shattered gradients"], ()),
    (paths, ["short paths"], ()),
    (responses, ["weaker responses", "weaker responses with depth"], ()),
    (lesions, ["removing a block"], ()),
]


def make_claims(names, verdict):
    return [Claim(name, "", verdict, "") for name in names]


@pytest.mark.parametrize(("step", "names", "more"), STEPS)
def test_each_outcome_has_a_text_of_its_own(step, names, more):
    texts = {}
    for verdict in Verdict:
        text = step.write_introduction(make_claims(names, verdict), PAIR, *more)
        assert text.startswith(f"{step.EXPECTATION} ")
        assert len(text.split()) <= 100
        assert "{" not in text
        texts[verdict] = text.removeprefix(step.EXPECTATION)
    assert len(set(texts.values())) == len(Verdict)
    assert any(word in texts[Verdict.INCONCLUSIVE] for word in OPEN)
    assert any(word in texts[Verdict.NOT_TESTED] for word in UNTESTED)
    for verdict in (Verdict.REPRODUCED, Verdict.CONTRADICTED):
        assert not any(word in texts[verdict] for word in (*OPEN, *UNTESTED))
    without_claims = step.write_introduction([], PAIR, *more)
    assert without_claims.removeprefix(step.EXPECTATION) == texts[Verdict.NOT_TESTED]


@pytest.mark.parametrize(("step", "names", "more"), STEPS)
def test_lead_repeats_the_verdict_of_each_tested_claim(step, names, more):
    more = ((), None) if step is gradient_flow else ()
    for verdict in Verdict:
        takeaways = step.list_lead(make_claims(names, verdict), PAIR, *more)
        tested = 0 if verdict is Verdict.NOT_TESTED else len(names)
        assert [takeaway.verdict for takeaway in takeaways] == [verdict] * tested
        for takeaway in takeaways:
            assert takeaway.clause.startswith("whether") == (verdict is Verdict.INCONCLUSIVE)


def test_lead_begins_with_the_answer():
    takeaways = [
        LeadItem(Verdict.INCONCLUSIVE, "whether b"),
        LeadItem(Verdict.CONTRADICTED, "c"),
        LeadItem(Verdict.CONTRADICTED, "d"),
        LeadItem(Verdict.REPRODUCED, "a"),
        LeadItem(Verdict.CONTRADICTED, "e", Role.RULED_OUT),
        LeadItem(Verdict.REPRODUCED, "f", Role.COMPANION),
    ]
    answer, *others = lead.write_lead(takeaways).splitlines()
    assert answer == (f"{lead.PROBES} {lead.COMPANIONS}: f. {lead.NO_PROOF} {lead.RULED_OUT}: e.")
    assert others == ["As reported: a.", "Unlike the papers: c; d."]
    assert lead.write_lead(takeaways[:1]).splitlines() == [lead.PROBES, "Open: whether b."]
    assert lead.COMPANIONS not in lead.write_lead(takeaways, degrades=False)
    assert lead.write_lead([]) == lead.NOTHING_TESTED


@pytest.mark.parametrize("step", [convergence, shattering])
def test_only_what_is_reproduced_goes_with_degradation(step):
    names = {step: names for step, names, _ in STEPS}[step]
    for verdict in Verdict:
        roles = [takeaway.role for takeaway in step.list_lead(make_claims(names, verdict), PAIR)]
        assert (Role.COMPANION in roles) == (verdict is Verdict.REPRODUCED)


def test_depths_that_learn_slowly_are_told_from_those_that_may_be_stuck():
    reached = {20: [True, True], 44: [True, False], 56: [False, False], 110: [False, False]}
    text = convergence.write_introduction([], PAIR, reached)
    assert (
        "Here plain networks of 20 layers get to half of chance error, so none is stuck above"
        in text
    )
    assert "Those of 56 and 110 never do" in text
    assert "No plain network of 56 layers" in convergence.write_introduction(
        [], PAIR, {56: [False]}
    )


def test_mixed_verdicts_are_told_apart():
    claims = [
        Claim("less slowing with shortcuts", "", Verdict.CONTRADICTED, ""),
        Claim("exponential slowing", "", Verdict.REPRODUCED, ""),
    ]
    text = convergence.write_introduction(claims, PAIR, {})
    assert "faster with depth in residual than in plain" in text
    assert "exponentially, as He et al. 2015 conjecture" in text


def test_negligible_effect_is_called_so():
    small = Claim("weaker responses", "", Verdict.CONTRADICTED, "", is_negligible=True)
    assert responses.write_introduction([small], PAIR).count("negligible") == 1
    opposite = make_claims(["weaker responses"], Verdict.CONTRADICTED)
    assert "negligible" not in responses.write_introduction(opposite, PAIR)


SMALL = [
    (convergence, "less slowing with shortcuts", ({},)),
    (shattering, "shattered gradients", ()),
    (paths, "short paths", ()),
    (responses, "weaker responses", ()),
    (responses, "weaker responses with depth", ()),
]
FOUND = ("found", "faster", "reported", "As reported", "Unlike the papers", lead.COMPANIONS)


@pytest.mark.parametrize(("step", "name", "more"), SMALL)
@pytest.mark.parametrize("verdict", [Verdict.REPRODUCED, Verdict.CONTRADICTED])
def test_negligible_effects_are_told_as_such(step, name, more, verdict):
    claims = [Claim(name, "", verdict, "", is_negligible=True)]
    text = step.write_introduction(claims, PAIR, *more).removeprefix(step.EXPECTATION)
    assert "negligible" in text
    lines = lead.write_lead(step.list_lead(claims, PAIR)).splitlines()
    assert lines[0] == lead.PROBES
    assert lines[1].startswith(lead.TOO_SMALL)
    assert not any(word in f"{text} {lines}" for word in FOUND)


def test_open_lesions_say_the_bound_that_leaves_them_open():
    claim = Claim("removing a block", "", Verdict.INCONCLUSIVE, "", plain_words="At least -0.2.")
    assert lesions.write_introduction([claim], PAIR).endswith("is not settled here. At least -0.2.")


def measured(depth, iteration, pattern, reaches_start=True, mean_pattern=Pattern.UNKNOWN):
    return MeasuredPattern(depth, iteration, pattern, reaches_start, mean_pattern)


PATTERNS = [
    measured(20, 0, Pattern.HEALTHY),
    measured(20, 400, Pattern.HEALTHY),
    measured(56, 0, Pattern.EXPLODING),
    measured(56, 40, Pattern.HEALTHY, mean_pattern=Pattern.HEALTHY),
    measured(44, 0, Pattern.UNKNOWN, mean_pattern=Pattern.EXPLODING),
    measured(44, 400, Pattern.HEALTHY),
    measured(56, 400, Pattern.UNKNOWN, mean_pattern=Pattern.HEALTHY),
    measured(110, 0, Pattern.EXPLODING),
    measured(110, 400, Pattern.VANISHING, reaches_start=False),
]


def test_unhealthy_gradients_are_described_by_depth():
    claims = make_claims(["healthy gradients, plain"], Verdict.CONTRADICTED)
    text = gradient_flow.write_introduction(claims, PAIR, PATTERNS, 56)
    assert (
        "Those of plain networks first explode, then seem healthy (56 layers); first explode, then "
        "vanish (110); first seem to explode, then are healthy (44); are healthy throughout (20)."
    ) in text
    assert text.endswith(gradient_flow.SEEM)
    assert gradient_flow.SEEM not in gradient_flow.write_introduction(claims, PAIR, PATTERNS[:2])


@pytest.mark.parametrize(("depth", "contradicts"), [(56, True), (110, False), (32, False)])
def test_textbook_is_contradicted_where_nothing_vanishes(depth, contradicts):
    takeaways = gradient_flow.list_lead([], PAIR, PATTERNS, depth)
    assert len(takeaways) == contradicts
    assert not gradient_flow.list_lead([], PAIR, PATTERNS, None)


def test_shares_of_the_ends_are_told():
    holds = make_claims(["check: the identity"], Verdict.REPRODUCED)
    text = gradient_identity.write_introduction(holds, {20: 0.444, 32: 0.59, 110: 0.84})
    assert "44 % at 20 layers and 84 % at 110 layers." in text
    assert gradient_identity.write_introduction(holds, {20: 0.444}).count("%") == 1
    assert gradient_identity.UNKNOWN in gradient_identity.write_introduction(holds, {20: math.nan})
    fails = make_claims(["check: the identity"], Verdict.CONTRADICTED)
    assert gradient_identity.FAILED in gradient_identity.write_introduction(fails, {20: 0.444})


def test_landscape_names_the_families_measured():
    text = landscape.write_introduction({"plain": 0.027, "residual": math.nan})
    assert "at most 2.7 % of the points around a plain network lie off" in text
    assert landscape.UNKNOWN in landscape.write_introduction({"plain": math.nan})
