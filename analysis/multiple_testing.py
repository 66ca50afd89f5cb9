"""Corrections for testing several hypotheses at once: Bonferroni's and Holm's.

References:
    Holm 1979, A simple sequentially rejective multiple test procedure.
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


def select_joint(p_values: Mapping[Key, float]) -> list[Key]:
    """Return the statements that hold jointly with 95 % confidence, by Holm's procedure.

    If each statement holds by itself, all of them do: that all hold is one statement, which needs
    no correction (intersection-union test, Berger 1982).

    Args:
        p_values: for each statement, the p-value of the hypothesis that it is false; NaN if nothing
            is known about it.
    """
    if all(p < 1 - CONFIDENCE for p in p_values.values()):
        return [*p_values]
    rejected = holm_rejections([*p_values.values()])
    return [key for key, is_rejected in zip(p_values, rejected, strict=True) if is_rejected]
