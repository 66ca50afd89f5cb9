"""A truth, drawn again and again, and how often a claim reaches each verdict on it."""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from unittest import mock

import numpy as np

from analysis import statistics
from analysis.claim import Claim, Verdict

AS_SEEN, NO_EFFECT = "as seen", "no effect"  # truths that most claims have
PERMUTATIONS = 199  # of a trend's p-value here; 9,999 in a report, where they are computed once


class Draw(Protocol):
    """One repetition: runs drawn at random, and the verdict on them."""

    def __call__(self, generator: np.random.Generator) -> Verdict: ...


@dataclass(frozen=True)
class Case:
    claim: str
    truth: str
    draw: Draw


def simulate(case: Case, repetitions: int) -> dict[Verdict, float]:
    """The share of repetitions that reached each verdict.

    The generator's seed is made of the case's words, so that a case comes out the same whichever others there are.
    """
    generator = np.random.default_rng(zlib.crc32(f"{case.claim}: {case.truth}".encode()))
    with mock.patch.object(statistics, "PERMUTATIONS", PERMUTATIONS):
        counts = Counter(case.draw(generator) for _ in range(repetitions))
    return {verdict: counts[verdict] / repetitions for verdict in Verdict}


def verdict_of(claims: Iterable[Claim], name: str) -> Verdict:
    """Of the claim of this name."""
    (verdict,) = (claim.verdict for claim in claims if claim.name == name)
    return verdict
