"""Pairs of families whose networks differ only in the shortcuts."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class FamilyPair:
    """The families that a claim compares: identical except for the shortcuts."""

    plain: str  # without shortcuts
    residual: str  # with them


FAMILY_PAIRS = (
    FamilyPair("plain", "residual"),
    FamilyPair("plain-preactivation", "preactivation"),
)


def family_pair(runs: pd.DataFrame) -> FamilyPair:
    """Return the pair of families to which the runs of one condition belong.

    All of them have the same order of BN, ReLU and convolution, so they belong to one pair.
    """
    families = set(runs["family"])
    for pair in FAMILY_PAIRS:
        if families & {pair.plain, pair.residual}:
            return pair
    return FAMILY_PAIRS[0]
