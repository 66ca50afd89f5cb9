"""The lead of the section *Why*: what goes with degradation, what is ruled out, then the rest."""

from collections.abc import Sequence

from analysis.claim import Verdict
from analysis.mechanism_texts.wording import LeadItem, Role

TITLE = "in short"
PROBES = "Probes measure inside the networks, before, during and after training."
COMPANIONS = "What goes with the degradation here"
COMPANIONS_OF_DEPTH = "What goes with depth here"  # if no degradation is shown
NO_PROOF = "No probe proves a cause."
RULED_OUT = "Ruled out"
# The other items, in the order of the lead.
OPENINGS = {
    Verdict.REPRODUCED: "As reported",
    Verdict.CONTRADICTED: "Unlike the papers",
}
TOO_SMALL = "Too small to matter"
OPEN = "Open"  # only if nothing is decided; each step says what it leaves open
NOTHING_TESTED = (
    "These runs test none of the claims about mechanisms; the evidence of each step says what is "
    "missing."
)


def write_lead(items: Sequence[LeadItem], degrades: bool = True) -> str:
    """Return the lead, one paragraph per line.

    The first answers the question why as far as the verdicts do; the others say what else is
    decided, or that nothing is. `degrades`: whether degradation of plain networks is reproduced.
    """
    if not items:
        return NOTHING_TESTED
    companions = [item.clause for item in items if item.role is Role.COMPANION]
    ruled_out = [item.clause for item in items if item.role is Role.RULED_OUT]
    answer = [PROBES]
    if companions:
        opening = COMPANIONS if degrades else COMPANIONS_OF_DEPTH
        answer += [_write_sentence(opening, companions), NO_PROOF]
    if ruled_out:
        answer.append(_write_sentence(RULED_OUT, ruled_out))
    paragraphs = [" ".join(answer)]
    for verdict, opening in OPENINGS.items():
        clauses = [
            item.clause for item in items if item.verdict is verdict and item.role is Role.OTHER
        ]
        if clauses:
            paragraphs.append(_write_sentence(opening, clauses))
    negligible = [item.clause for item in items if item.role is Role.NEGLIGIBLE]
    if negligible:
        paragraphs.append(_write_sentence(TOO_SMALL, negligible))
    if all(item.verdict is Verdict.INCONCLUSIVE for item in items):
        paragraphs.append(_write_sentence(OPEN, [item.clause for item in items]))
    return "\n".join(paragraphs)


def _write_sentence(opening: str, clauses: Sequence[str]) -> str:
    return f"{opening}: {'; '.join(clauses)}."
