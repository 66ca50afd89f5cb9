"""Text that depends on a verdict, and what a claim adds to the lead of the section *Why*."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from analysis.claim import Claim, Verdict, find_claim
from analysis.family_pairs import FamilyPair
from analysis.plain_text import join_words


@dataclass(frozen=True)
class Wording:
    """One text per verdict; `{plain}` and `{residual}` stand for the names of the families.

    `{where}` stands for the depths that decided, such as `at 20 layers`.

    A claim that was not made, because the runs lack a family, counts as not tested. `negligible`:
    the text of a verdict that rests on an effect too small to matter; empty if there is no such
    text.
    """

    reproduced: str
    contradicted: str
    inconclusive: str
    not_tested: str = ""
    negligible: str = ""

    def select(self, claim: Claim | None, pair: FamilyPair) -> str:
        """Return the text of a claim's verdict, with the names of the families."""
        if claim is None:
            text = self.not_tested
        elif claim.is_negligible and self.negligible:
            text = self.negligible
        else:
            text = self._select_verdict(claim.verdict)
        return text.format(plain=pair.plain, residual=pair.residual, where=_locate(claim))

    def _select_verdict(self, verdict: Verdict) -> str:
        texts = {
            Verdict.REPRODUCED: self.reproduced,
            Verdict.CONTRADICTED: self.contradicted,
            Verdict.INCONCLUSIVE: self.inconclusive,
            Verdict.NOT_TESTED: self.not_tested,
        }
        return texts[verdict]


def _locate(claim: Claim | None) -> str:
    if claim is None or not claim.depths:
        return "at some depth"
    return f"at {join_words(list(map(str, claim.depths)))} layers"


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
    claim = find_claim(claims, name)
    return Verdict.NOT_TESTED if claim is None else claim.verdict


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
    claim = find_claim(claims, name)
    if claim is None or claim.verdict is Verdict.NOT_TESTED:
        return []
    shown_role = role if claim.verdict is Verdict.REPRODUCED else Role.OTHER
    if claim.is_negligible:
        shown_role = Role.NEGLIGIBLE
    return [LeadItem(claim.verdict, wording.select(claim, pair), shown_role)]
