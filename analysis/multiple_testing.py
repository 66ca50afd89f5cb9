"""Corrections for testing several hypotheses at once: Bonferroni's, Holm's and Hochberg's.

References:
    Holm 1979, A simple sequentially rejective multiple test procedure.
    Hochberg 1988, A sharper Bonferroni procedure for multiple tests of significance.
    Shaffer 1980, Control of directional errors with stagewise multiple test procedures.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from analysis.estimates import CONFIDENCE

Key = TypeVar("Key")


def bonferroni_level(count: int) -> float:
    """Return the level at which `count` one-sided bounds hold jointly with 95 % confidence.

    This is Bonferroni's correction, and the first step of Holm's procedure.
    """
    return 1 - (1 - CONFIDENCE) / max(count, 1)


def holm_rejections(p_values: Sequence[float]) -> list[bool]:
    """Return which hypotheses Holm's step-down procedure rejects at a family-wise level of 5 %.

    No true hypothesis is rejected with a probability of 95 % or more, however the p-values depend
    on each other. A p-value that is NaN is never rejected.

    Args:
        p_values: one per hypothesis, in any order; the result has the same order.
    """
    array = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    rejected = [False] * len(array)
    for rank, index in enumerate(np.argsort(array, kind="stable")):
        if not array[index] < (1 - CONFIDENCE) / (len(array) - rank):
            break
        rejected[int(index)] = True
    return rejected


def hochberg_rejections(p_values: Sequence[float]) -> list[bool]:
    """Return which hypotheses Hochberg's step-up procedure rejects at a family-wise level of 5 %.

    It rejects whatever Holm's does, and all of them if each p-value is below 5 %. The p-values must
    be independent or depend on each other positively, as those of different runs do. A p-value that
    is NaN is never rejected.

    Args:
        p_values: one per hypothesis, in any order; the result has the same order.
    """
    array = np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0)
    order = np.argsort(array, kind="stable")
    rejected = [False] * len(array)
    for rank in reversed(range(len(array))):
        if array[order[rank]] < (1 - CONFIDENCE) / (len(array) - rank):
            for index in order[: rank + 1]:
                rejected[int(index)] = True
            break
    return rejected


def select_directions(
    p_above: Mapping[Key, float], p_below: Mapping[Key, float]
) -> tuple[list[Key], list[Key]]:
    """Return which values are above a margin and which below it, jointly with 95 % confidence.

    Each value has one test, in the direction of the smaller p-value: it cannot be on both sides, so
    at most one of its directions is an error (Shaffer 1980). Hochberg's procedure corrects for the
    number of values.

    Args:
        p_above: for each value, the p-value of the hypothesis that it is at most the margin; NaN if
            nothing is known about it.
        p_below: that of the hypothesis that it is at least the margin.
    """
    keys = [*p_above]
    smaller = np.fmin([p_above[key] for key in keys], [p_below[key] for key in keys]).tolist()
    rejected = hochberg_rejections(smaller)
    decided = [key for key, is_rejected in zip(keys, rejected, strict=True) if is_rejected]
    above = [key for key in decided if p_above[key] < p_below[key]]
    return above, [key for key in decided if key not in above]
