"""What a claim found in one short sentence, for a reader who knows no statistics.

A sentence has the number that decides and no term that needs an explanation. It says no more than
the verdict does.
"""

from analysis.claim import Verdict
from analysis.plain_text import format_amount, format_change

UNCERTAIN = ", but that is not certain yet"


def add_doubt(verdict: Verdict) -> str:
    """Return what a sentence about an inconclusive claim ends with; otherwise empty text."""
    return UNCERTAIN if verdict is Verdict.INCONCLUSIVE else ""


def describe_rise(verdict: Verdict, networks: str, shallow: int, deep: int, change: float) -> str:
    """Return what a claim that the error rises with depth found.

    Args:
        verdict: the verdict on the rise.
        networks: such as `plain networks`.
        shallow, deep: the depths that are compared.
        change: the error of the deep networks minus that of the shallow ones, in points.
    """
    if verdict is Verdict.REPRODUCED:
        more = f"{format_amount(change)} points more training errors"
        return f"At {deep} layers {networks} make {more} than at {shallow}."
    moves = (
        f"From {shallow} to {deep} layers the training error of {networks} changes by"
        f" {format_change(change)} points"
    )
    if verdict is Verdict.CONTRADICTED:
        return f"{moves}: no rise that matters."
    return f"{moves}{UNCERTAIN}."


def describe_absence(
    verdict: Verdict, networks: str, shallow: int, worst: int, change: float
) -> str:
    """Return what a claim that the error does not rise with depth found.

    Arguments: those of `describe_rise`; `worst` is the depth that decides.
    """
    if verdict is Verdict.CONTRADICTED:
        return describe_rise(Verdict.REPRODUCED, networks, shallow, worst, change)
    if verdict is Verdict.REPRODUCED:
        return (
            f"At {worst} layers, the worst depth, the training error of {networks} changes by"
            f" {format_change(change)} points from {shallow}."
        )
    return describe_rise(verdict, networks, shallow, worst, change)


def describe_gain(verdict: Verdict, depth: int, gain: float) -> str:
    """Return what a claim that shortcuts lower the error found.

    `gain`: the error without shortcuts minus that with them, in points.
    """
    if verdict is Verdict.REPRODUCED:
        lower = format_amount(gain)
        return f"At {depth} layers shortcuts lower the training error by {lower} points."
    change = (
        f"At {depth} layers shortcuts change the training error by {format_change(-gain)} points"
    )
    if verdict is Verdict.CONTRADICTED:
        return f"{change}: no gain that matters."
    return f"{change}{UNCERTAIN}."
