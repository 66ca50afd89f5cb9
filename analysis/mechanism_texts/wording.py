"""Text that depends on a verdict, and what a claim adds to the lead of the section *Why*."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from analysis.claim import Claim, Verdict
from analysis.family_pairs import FamilyPair


@dataclass(frozen=True)
class Wording:
    """One text per verdict; `{plain}` and `{residual}` stand for the names of the families.

    A claim that was not made, because the runs lack a family, counts as not tested. `negligible`:
    the text of a verdict that rests on an effect too small to matter; empty if there is no such
    text.
    """

    reproduced: str
    contradicted: str
    inconclusive: str
    not_tested: str = ""
    negligible: str = ""

    def select(self, verdict: Verdict, pair: FamilyPair, is_small: bool = False) -> str:
        """Return the text of a verdict, with the names of the families.

        `is_small`: whether the claim is negligible.
        """
        texts = {
            Verdict.REPRODUCED: self.reproduced,
            Verdict.CONTRADICTED: self.contradicted,
            Verdict.INCONCLUSIVE: self.inconclusive,
            Verdict.NOT_TESTED: self.not_tested,
        }
        text = self.negligible if is_small and self.negligible else texts[verdict]
        return text.format(plain=pair.plain, residual=pair.residual)


class Role(StrEnum):
    """What a takeaway says about the cause of degradation."""

    COMPANION = "companion"  # what goes with depth in plain networks, and less so with shortcuts
    RULED_OUT = "ruled out"  # a cause that the runs exclude
    NEGLIGIBLE = "negligible"  # an effect too small to matter
    OTHER = "other"


@dataclass(frozen=True)
class LeadItem:
    """What one claim adds to the lead.

    Attributes:
        verdict: decides which sentence of the lead holds it.
        clause: what the runs show, or `whether ...` if they leave it open.
        role: what it says about the cause of degradation.
    """

    verdict: Verdict
    clause: str
    role: Role = Role.OTHER


def find_verdict(claims: Iterable[Claim], name: str) -> Verdict:
    """Return the verdict of the claim with this name; not tested if there is none."""
    for claim in claims:
        if claim.name == name:
            return claim.verdict
    return Verdict.NOT_TESTED


def is_negligible(claims: Iterable[Claim], name: str) -> bool:
    """Return whether the verdict of the claim rests on an effect that is too small to matter."""
    return any(claim.name == name and claim.is_negligible for claim in claims)


def find_plain_words(claims: Iterable[Claim], name: str) -> str:
    """Return the finding of the claim with this name in plain words, or empty text."""
    return next((claim.plain_words for claim in claims if claim.name == name), "")


def list_lead_items(
    claims: Iterable[Claim],
    name: str,
    wording: Wording,
    pair: FamilyPair,
    role: Role = Role.OTHER,
) -> list[LeadItem]:
    """Return what the claim with this name adds to the lead; nothing if it was not tested.

    `role`: that of a claim that is reproduced.
    """
    claims = list(claims)
    verdict, is_small = find_verdict(claims, name), is_negligible(claims, name)
    if verdict is Verdict.NOT_TESTED:
        return []
    shown_role = role if verdict is Verdict.REPRODUCED else Role.OTHER
    if is_small:
        shown_role = Role.NEGLIGIBLE
    return [LeadItem(verdict, wording.select(verdict, pair, is_small), shown_role)]
