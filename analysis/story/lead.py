"""The lead of the section *Why*: what contradicts the textbook first, then the rest."""

from collections.abc import Sequence

from analysis.claim import Verdict
from analysis.story.wording import Takeaway

TITLE = "what do the probes say?"
# In the order of the lead.
OPENINGS = {
    Verdict.CONTRADICTED: "Against the textbook or the papers",
    Verdict.REPRODUCED: "As reported",
    Verdict.INCONCLUSIVE: "Not settled",
}
NOTHING_TESTED = (
    "These runs test none of the claims about mechanisms; the evidence of each step says what is "
    "missing."
)


def write_lead(takeaways: Sequence[Takeaway]) -> str:
    """Return one line, a sentence, per verdict that occurs; contradictions come first."""
    sentences = []
    for verdict, opening in OPENINGS.items():
        clauses = [takeaway.clause for takeaway in takeaways if takeaway.verdict is verdict]
        if clauses:
            sentences.append(f"{opening}: {'; '.join(clauses)}.")
    return "\n".join(sentences) or NOTHING_TESTED
