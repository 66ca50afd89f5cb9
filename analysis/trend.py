"""The Jonckheere-Terpstra test: do values increase from group to group?

Like `analysis.statistics`, this module knows nothing about networks.

References:
    Terpstra 1952, The asymptotic normality and consistency of Kendall's test against trend, when
    ties are present in one ranking. Jonckheere 1954, A distribution-free k-sample test against
    ordered alternatives.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

PERMUTATIONS = 9999
_permutations: ContextVar[int] = ContextVar("permutations", default=PERMUTATIONS)
MAX_TABLE_CELLS = 200_000  # counted at once: a few megabytes


@contextmanager
def fewer_permutations(count: int) -> Iterator[None]:
    """Within this context, tests of a trend use so many permutations: simulations repeat them."""
    token = _permutations.set(count)
    try:
        yield
    finally:
        _permutations.reset(token)


def increasing_trend(groups: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Test whether values increase from group to group (Jonckheere-Terpstra).

    The statistic is the number of pairs of runs in which the run of the higher group has the higher
    value, minus the number in which it has the lower one. Its distribution under no trend comes
    from 9,999 random permutations of the values over all runs, by a generator with a fixed seed, so
    equal input gives equal output.

    Limits: values are exchanged freely, as if a seed were not a block across groups. If the runs of
    one seed vary together, p is too large rather than too small.

    Args:
        groups: the group of each run, such as its depth, shape (n,).
        values: one finite value per run, shape (n,).

    Returns:
        Kendall's tau-b, which is NaN if all values are equal, and the one-sided p-value.
    """
    x, y = np.asarray(groups, dtype=float), np.asarray(values, dtype=float)
    distinct_groups, group = np.unique(x, return_inverse=True)
    distinct_values, rank = np.unique(y, return_inverse=True)
    shape = (len(distinct_groups), len(distinct_values))
    generator = np.random.default_rng(0)
    observed = _concordances(np.arange(len(x))[None], group, rank, shape)[0]
    orders_at_once = max(1, MAX_TABLE_CELLS // (shape[0] * shape[1]))
    permutations = _permutations.get()
    at_least_observed = 0
    for start in range(0, permutations, orders_at_once):
        count = min(orders_at_once, permutations - start)
        orders = np.stack([generator.permutation(len(x)) for _ in range(count)])
        concordances = _concordances(orders, group, rank, shape)
        at_least_observed += int((concordances >= observed).sum())
    p = (1 + at_least_observed) / (1 + permutations)
    return float(stats.kendalltau(x, y).statistic), p


def _concordances(
    orders: NDArray[np.int64],
    group: NDArray[np.int64],
    rank: NDArray[np.int64],
    shape: tuple[int, int],
) -> NDArray[np.int64]:
    """Return, for each order, the increasing pairs of runs minus the decreasing ones.

    A pair is increasing if the run of the higher group has the higher value.

    The pairs are too many to list, so they are counted from a table per order: how many runs of
    each group have each rank.

    Args:
        orders: permutations of the runs, shape (orders, n).
        group: index of each run's group, shape (n,).
        rank: index of each run's value among the distinct values, shape (n,).
        shape: number of groups, number of distinct values.

    Returns:
        Shape (orders,).
    """
    groups, ranks = shape
    first_cell = np.arange(len(orders))[:, None] * (groups * ranks)
    cells = (first_cell + group * ranks + rank[orders]).ravel()
    flat_counts = np.bincount(cells, minlength=len(orders) * groups * ranks)
    counts = flat_counts.reshape(-1, groups, ranks)
    in_lower_groups = counts.cumsum(axis=1) - counts
    up_to_rank = in_lower_groups.cumsum(axis=2)
    below = up_to_rank - in_lower_groups  # runs of lower groups with a lower value
    above = up_to_rank[:, :, -1:] - up_to_rank  # runs of lower groups with a higher value
    return np.asarray((counts * (below - above)).sum(axis=(1, 2)))
