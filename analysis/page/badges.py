"""The badge of a claim: its outcome in words, with a symbol and a colour that say the same."""

from dataclasses import dataclass

from analysis.claim import Check, Claim, Finding, Verdict


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
    """Return the badge of a claim.

    A claim whose effect is negligible is never green, whatever its verdict. An answer to a
    question that no paper has claimed is neither green nor red.
    """
    symbol, tone = TONES[claim.verdict]
    if claim.is_negligible:
        symbol, tone = NEGLIGIBLE_TONE
    elif isinstance(claim, Finding) and tone in ("reproduced", "contradicted"):
        symbol, tone = ANSWERED_TONE
    elif isinstance(claim, Check) and claim.verdict is Verdict.REPRODUCED:
        symbol, tone = TONES[claim.verdict][0], "answered"
    return Badge(claim.outcome, symbol, tone)
