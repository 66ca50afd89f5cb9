"""Text that depends on a verdict, and what a claim adds to the lead of the section *Why*."""

from collections.abc import Iterable
from dataclasses import dataclass

from analysis.claim import Claim, Verdict
from analysis.claims import FamilyPair


@dataclass(frozen=True)
class Wording:
    """One text per verdict; `{plain}` and `{residual}` stand for the names of the families.

    A claim that was not made, because the runs lack a family, counts as not tested.
    """

    reproduced: str
    contradicted: str
    inconclusive: str
    not_tested: str = ""

    def select(self, verdict: Verdict, pair: FamilyPair) -> str:
        """Return the text of a verdict, with the names of the families."""
        texts = {
            Verdict.REPRODUCED: self.reproduced,
            Verdict.CONTRADICTED: self.contradicted,
            Verdict.INCONCLUSIVE: self.inconclusive,
            Verdict.NOT_TESTED: self.not_tested,
        }
        return texts[verdict].format(plain=pair.plain, residual=pair.residual)


@dataclass(frozen=True)
class Takeaway:
    """What one claim adds to the lead.

    Attributes:
        verdict: decides in which sentence of the lead it stands.
        clause: what the runs show, or `whether ...` if they leave it open.
    """

    verdict: Verdict
    clause: str


def find_verdict(claims: Iterable[Claim], name: str) -> Verdict:
    """Return the verdict of the claim with this name; not tested if there is none."""
    for claim in claims:
        if claim.name == name:
            return claim.verdict
    return Verdict.NOT_TESTED


def is_negligible(claims: Iterable[Claim], name: str) -> bool:
    """Return whether the verdict of the claim rests on an effect that is too small to matter."""
    return any(claim.name == name and claim.is_negligible for claim in claims)


def list_takeaways(verdict: Verdict, wording: Wording, pair: FamilyPair) -> list[Takeaway]:
    """Return what a claim adds to the lead; nothing if it was not tested."""
    if verdict is Verdict.NOT_TESTED:
        return []
    return [Takeaway(verdict, wording.select(verdict, pair))]
