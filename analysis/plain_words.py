"""What a claim found in one short sentence, for a reader who knows no statistics.

A sentence has the number that decides and no term that needs an explanation. It says no more than
the verdict does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.claim import Decision, Side, Verdict
from analysis.estimates import Estimate
from analysis.multiple_testing import bonferroni_level
from analysis.plain_text import format_amount, format_change

UNCERTAIN = ", but that is not certain yet"
UNKNOWN_VALUE = "Not known: in some run, what was measured is zero or not finite."


def add_doubt(verdict: Verdict) -> str:
    """Return what a sentence about an inconclusive claim ends with; otherwise empty text."""
    return UNCERTAIN if verdict is Verdict.INCONCLUSIVE else ""


def describe_value(value: float, sentence: str) -> str:
    """Return the sentence about a value, or that the value is not known if it is NaN."""
    return UNKNOWN_VALUE if math.isnan(value) else sentence


@dataclass(frozen=True)
class Bound:
    """The 95 % confidence bound on which a verdict rests: the true value is on its stated side."""

    value: float
    side: Side

    def __neg__(self) -> "Bound":
        """Return the bound of the number with the opposite sign."""
        return Bound(-self.value, "upper" if self.side == "lower" else "lower")

    def describe(self, show: Callable[[float], str] = format_change) -> str:
        """Return ` (at least +41 with 95 % confidence)`, or empty text if it is unknown."""
        if math.isnan(self.value):
            return ""
        words = "at least" if self.side == "lower" else "at most"
        return f" ({words} {show(self.value)} with 95 % confidence)"


# What follows a rise that a bound shows, but no trend over the depths in between.
NO_TREND = "; over all depths no trend is shown"


def find_bound(estimate: Estimate, decision: Decision[Any]) -> Bound:
    """Return the bound on which a decision about an estimate rests."""
    level = bonferroni_level(decision.bound_count)
    is_lower = decision.side == "lower"
    return Bound(estimate.lower_at(level) if is_lower else estimate.upper_at(level), decision.side)


def describe_rise(
    verdict: Verdict,
    networks: str,
    shallow: int,
    deep: int,
    change: float,
    margin: float,
    bound: Bound,
) -> str:
    """Return what a claim that the error rises with depth found.

    Args:
        verdict: the verdict on the rise.
        networks: such as `plain networks`.
        shallow, deep: the depths that are compared.
        change: the error of the deep networks minus that of the shallow ones, in points.
        margin: the rise in points that counts.
        bound: that of the change on which the verdict rests.
    """
    if verdict is Verdict.REPRODUCED:
        higher = f"{format_amount(change)} points higher"
        certainty = bound.describe(format_amount)
        return (
            f"The training error of {networks} is {higher} at {deep} layers than at"
            f" {shallow}{certainty}."
        )
    moves = (
        f"From {shallow} to {deep} layers the training error of {networks} changes by"
        f" {format_change(change)} points{bound.describe()}"
    )
    if verdict is Verdict.CONTRADICTED:
        return f"{moves}: no rise that matters."
    return f"{moves}; whether a rise exceeds {margin:g} is open."


def describe_absence(
    verdict: Verdict,
    networks: str,
    shallow: int,
    worst: int,
    change: float,
    margin: float,
    bound: Bound,
) -> str:
    """Return what a claim that the error does not rise with depth found.

    Arguments: those of `describe_rise`; `worst` is the depth that decides.
    """
    if verdict is Verdict.CONTRADICTED:
        return describe_rise(Verdict.REPRODUCED, networks, shallow, worst, change, margin, bound)
    if verdict is Verdict.REPRODUCED:
        example = f"({worst} layers: {format_change(change)} points on average)"
        than = f"than those of {shallow} layers"
        amount = f"{format_amount(bound.value)} points"
        compared = f"at most {amount} worse" if bound.value >= 0 else f"at least {amount} better"
        return f"Deeper {networks} are {compared} {than}, with 95 % confidence {example}."
    return describe_rise(verdict, networks, shallow, worst, change, margin, bound)


def describe_gain(verdict: Verdict, depth: int, gain: float, margin: float, bound: Bound) -> str:
    """Return what a claim that shortcuts lower the error found.

    Args:
        verdict: the verdict on the gain.
        depth: the depth that was judged.
        gain: the error without shortcuts minus that with them, in points.
        margin: the gain in points that counts.
        bound: that of the gain on which the verdict rests.
    """
    if verdict is Verdict.REPRODUCED:
        lower = f"{format_amount(gain)} points{bound.describe(format_amount)}"
        return f"At {depth} layers shortcuts lower the training error by {lower}."
    if verdict is Verdict.CONTRADICTED and bound.value < -margin:
        higher = f"{format_amount(gain)} points{(-bound).describe(format_amount)}"
        return f"At {depth} layers shortcuts raise the training error by {higher}."
    change = (
        f"At {depth} layers shortcuts change the training error by {format_change(-gain)} points"
        f"{(-bound).describe()}"
    )
    if verdict is Verdict.CONTRADICTED:
        return f"{change}: no gain that matters."
    return f"{change}; whether the gain exceeds {margin:g} is open."
