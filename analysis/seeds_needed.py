"""How many seeds a claim needs to be decided by the same bounds, from the spread of its groups.

Assumptions:
    The means and variances of the groups are the true ones, runs are independent and normal, and
    every network gets the same number of seeds. The variances are those of the bounds: at least
    that of a rounding error (`analysis.statistics`).

Probability:
    A bound is itself random, so a number of seeds decides a claim with some probability only. It is
    80 %, the usual power of a planned experiment: with the number at which the bound reaches the
    margin on average, half of all repetitions would remain undecided.

Several bounds:
    If every difference is on the claimed side of the margin, all bounds must show it, and the
    number is that at which they do jointly: their probabilities of failing are added, which is
    cautious (Bonferroni). If some difference is on the other side, one bound suffices, with Holm's
    correction at its first step, and the number is that of the difference that needs the fewest.

Limits:
    The true standard deviation is between 0.52 and 6.3 times that of three seeds (95 %), and the
    number of seeds grows with its square. A trend that a claim also requires is not considered.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scipy import stats

from analysis.estimates import CONFIDENCE, Difference, DifferenceOfMinima, Estimate
from analysis.multiple_testing import bonferroni_level

PROBABILITY = 0.8  # of deciding the claim
MIN_SEEDS, MAX_SEEDS = 2, 1000  # seeds per network

PROBABILITY_TEXT = f"{100 * PROBABILITY:.0f} % probability"
ASSUMPTION = "if means and spread over seeds are as measured"
TOO_MANY = f"more than {MAX_SEEDS:,} seeds per network"


@dataclass(frozen=True)
class SeedsNeeded:
    """A number of seeds per network.

    Attributes:
        count: the smallest number that decides with a probability of 80 %, or None if it is more
            than MAX_SEEDS, as for a difference at the margin.
    """

    count: int | None

    def describe(self) -> str:
        """Return the number with its assumption, without a verb."""
        if self.count is None:
            return f"{TOO_MANY}, because the difference is so close to the margin ({ASSUMPTION})"
        return f"about {self.count:,} seeds per network ({PROBABILITY_TEXT}, {ASSUMPTION})"

    def write_sentence(self) -> str:
        """Return the number with its assumption as a sentence."""
        if self.count is None:
            return (
                f"Settling it would take {TOO_MANY}, because the difference is so close to the"
                f" margin, {ASSUMPTION}."
            )
        return (
            f"About {self.count:,} seeds per network would settle it with {PROBABILITY_TEXT},"
            f" {ASSUMPTION}."
        )


def count_seeds(
    differences: Mapping[Any, Estimate], relation: Literal["below", "above"], margin: float
) -> SeedsNeeded | None:
    """Return how many seeds per network decide whether every difference is below the margin.

    Arguments: those of `analysis.claim.decide`, whose rule this follows.

    Returns None if the spread of a difference is unknown, as with one seed.
    """
    if relation == "above":
        negated = {key: -difference for key, difference in differences.items()}
        return count_seeds(negated, "below", -margin)
    estimates = list(differences.values())
    if not estimates or not all(map(_has_spread, estimates)):
        return None
    above = [-estimate for estimate in estimates if estimate.mean > margin]
    if above:
        level = bonferroni_level(len(estimates))
        return find_count(
            lambda seeds: min(_fail_below(estimate, -margin, level, seeds) for estimate in above)
        )
    return find_count(
        lambda seeds: sum(_fail_below(item, margin, CONFIDENCE, seeds) for item in estimates)
    )


def count_seeds_within(mean: float, variance: float, low: float, high: float) -> SeedsNeeded | None:
    """Return how many runs show a mean to be within an interval, or outside, by both 97.5 % bounds.

    Args:
        mean: the mean over runs.
        variance: the variance of one run.
        low: lower end of the interval.
        high: upper end of the interval.
    """
    if not math.isfinite(mean) or not math.isfinite(variance):
        return None
    level = (1 + CONFIDENCE) / 2
    estimate = Difference(mean, math.sqrt(variance), 1.0, (variance,))
    if mean > high:
        return find_count(lambda seeds: _fail_below(-estimate, -high, level, seeds))
    if mean < low:
        return find_count(lambda seeds: _fail_below(estimate, low, level, seeds))
    return find_count(
        lambda seeds: (
            _fail_below(estimate, high, level, seeds) + _fail_below(-estimate, -low, level, seeds)
        )
    )


def find_count(failure: Callable[[int], float]) -> SeedsNeeded:
    """Return the smallest number of seeds at which a probability of failing is small enough.

    `failure`: returns that probability for a number of seeds per network.
    """

    def decides(seeds: int) -> bool:
        return failure(seeds) <= 1 - PROBABILITY

    low, high = MIN_SEEDS - 1, MIN_SEEDS  # bisection: `low` seeds are too few
    while not decides(high):
        if high == MAX_SEEDS:
            return SeedsNeeded(None)
        low, high = high, min(2 * high, MAX_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        if decides(middle):
            high = middle
        else:
            low = middle
    return SeedsNeeded(high)


def _has_spread(estimate: Estimate) -> bool:
    """Return whether the variances of all groups of runs are known."""
    if isinstance(estimate, DifferenceOfMinima):
        return all(_has_spread(pair) for row in estimate.pairs for pair in row)
    if not isinstance(estimate, Difference) or not estimate.variances:
        return False
    return all(map(math.isfinite, (estimate.mean, *estimate.variances)))


def _fail_below(estimate: Estimate, margin: float, level: float, seeds: int) -> float:
    """Return the probability that the upper bound is not below the margin (at most, for minima)."""
    if isinstance(estimate, DifferenceOfMinima):
        # The rule of `DifferenceOfMinima.upper_at`: one row suffices, in which all bounds must do.
        corrected = 1 - (1 - level) / len(estimate.pairs)
        rows = [
            sum(_fail_below(pair, margin, corrected, seeds) for pair in row)
            for row in estimate.pairs
        ]
        return min(rows)
    assert isinstance(estimate, Difference)
    variance = sum(estimate.variances)
    distance = margin - estimate.mean
    if variance == 0 or math.isinf(distance):
        return float(distance <= 0)
    # Satterthwaite's degrees of freedom, with the same number of runs in each group
    freedom = (seeds - 1) * variance**2 / sum(part**2 for part in estimate.variances)
    quantile = stats.t.ppf(level, freedom)
    noncentrality = distance / math.sqrt(variance / seeds)
    return float(stats.nct.cdf(quantile, freedom, noncentrality))
