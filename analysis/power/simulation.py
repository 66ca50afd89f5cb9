"""Simulate a case many times and count the verdicts."""

import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from analysis.claim import Claim, Verdict
from analysis.trend import fewer_permutations

# Names of truths that most claims have. The names of a case seed its generator, so rewording one
# changes its numbers in docs/verdicts.md.
AS_OBSERVED, NO_EFFECT = "as observed", "no effect"
PERMUTATIONS = 199  # used for the p-value of a trend; fewer than the 9,999 of a report, for speed


class Draw(Protocol):
    """Draws runs at random, and returns the verdict on them: one repetition."""

    def __call__(self, generator: np.random.Generator) -> Verdict: ...


@dataclass(frozen=True)
class Case:
    """A claim under an assumed truth."""

    claim: str
    truth: str
    draw: Draw


def simulate(case: Case, repetitions: int) -> dict[Verdict, float]:
    """Return the fraction of repetitions that reach each verdict.

    The names of the case seed the generator, so the result does not depend on the other cases.
    """
    generator = np.random.default_rng(zlib.crc32(f"{case.claim}: {case.truth}".encode()))
    with fewer_permutations(PERMUTATIONS):
        counts = Counter(case.draw(generator) for _ in range(repetitions))
    return {verdict: counts[verdict] / repetitions for verdict in Verdict}


def select_verdict(claims: Iterable[Claim], name: str) -> Verdict:
    """Return the verdict of the one claim with this name."""
    (verdict,) = (claim.verdict for claim in claims if claim.name == name)
    return verdict
