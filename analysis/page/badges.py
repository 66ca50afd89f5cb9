"""The badge of a claim: its outcome in words, with a symbol and a colour that say the same."""

from dataclasses import dataclass

from analysis.claim import Claim, ClaimKind, Verdict


@dataclass(frozen=True)
class Badge:
    """How an outcome is shown. Words and symbol suffice where colours are not seen.

    Attributes:
        words: the outcome.
        symbol: a sign that goes with the tone.
        tone: the name of the colours in style.css.
    """

    words: str
    symbol: str
    tone: str


TONES = {
    Verdict.REPRODUCED: ("✓", "reproduced"),
    Verdict.CONTRADICTED: ("✗", "contradicted"),
    Verdict.INCONCLUSIVE: ("?", "inconclusive"),
    Verdict.NOT_TESTED: ("○", "not-tested"),
}
NEGLIGIBLE_TONE = ("≈", "inconclusive")
ANSWERED_TONE = ("●", "answered")


def build_badge(claim: Claim) -> Badge:
    """Return the badge of a claim."""
    return choose_badge(claim.kind, claim.verdict, claim.outcome, claim.is_negligible)


def choose_badge(kind: str, verdict: Verdict, outcome: str, is_negligible: bool) -> Badge:
    """Return the badge of an outcome.

    A claim whose effect is negligible is never green, whatever its verdict. An answer to a
    question that no paper has claimed is neither green nor red.

    Args:
        kind: what the claim is, a value of `ClaimKind`; any other is shown as a claim.
        verdict: its verdict.
        outcome: the verdict in words.
        is_negligible: whether the effect is too small to matter.
    """
    symbol, tone = TONES[verdict]
    if is_negligible:
        symbol, tone = NEGLIGIBLE_TONE
    elif kind == ClaimKind.FINDING and tone in ("reproduced", "contradicted"):
        symbol, tone = ANSWERED_TONE
    elif kind == ClaimKind.CHECK and verdict is Verdict.REPRODUCED:
        tone = "answered"
    return Badge(outcome, symbol, tone)
