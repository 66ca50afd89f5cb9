"""The mean errors that a headline names: at which depths, and in which words."""

import math
from collections.abc import Sequence

import pandas as pd

from analysis.claim import Claim, RunsByDepth, Verdict, training_error_difference
from analysis.columns import TRAINING_ERROR
from analysis.plain_text import format_percents, join_words
from analysis.summary import compute_finished_interval

TOO_SMALL_TO_SHOW = 0.05  # points: errors that differ by less are equal with one decimal


def describe_no_better_than_chance(depths: Sequence[int]) -> str:
    """Return ` (at 110 layers they do no better than chance)`, or empty text."""
    if not depths:
        return ""
    return f" (at {join_words([*map(str, depths)])} layers they do no better than chance)"


def list_worse_between(groups: RunsByDepth, depths: tuple[int, ...], margin: float) -> str:
    """Return the largest mean between two depths if it is above the shallow one by the margin.

    It is written as by `list_errors`; otherwise it is empty text.
    """
    shallow, deep = depths
    means = {depth: average_error(runs) for depth, runs in groups.items() if shallow < depth < deep}
    worst = max(means, key=lambda depth: means[depth], default=shallow)
    if worst == shallow or means[worst] - average_error(groups[shallow]) <= margin:
        return ""
    return list_errors(groups, [worst], "")


def describe_margin(groups: RunsByDepth, depths: Sequence[int], margin: float) -> str:
    """Return ` by 2 points or more` if the error may rise with depth by an amount that shows.

    The verdict that the error does not rise means that it rises by less than the margin. The words
    are empty if the bounds show that it does not rise by TOO_SMALL_TO_SHOW either.
    """
    shallow, *deeper = sorted(depths)
    differences = [training_error_difference(groups[depth], groups[shallow]) for depth in deeper]
    may_rise = any(difference.upper >= TOO_SMALL_TO_SHOW for difference in differences)
    return f" by {margin:g} points or more" if may_rise else ""


def choose_depths(claim: Claim, groups: RunsByDepth, preferred: tuple[int, ...]) -> tuple[int, ...]:
    """Return the depths whose errors are named.

    They are those on which the verdict rests. If the verdict holds for all depths, they are the
    `preferred` ones, which were named for the other family.
    """
    if claim.verdict is Verdict.REPRODUCED and preferred and all(d in groups for d in preferred):
        return preferred
    return claim.depths or find_ends(groups)


def find_ends(groups: RunsByDepth) -> tuple[int, ...]:
    """Return the shallowest and the deepest depth, or the only one."""
    return tuple(sorted({min(groups), max(groups)}))


def list_errors(groups: RunsByDepth, depths: Sequence[int], error: str, named: bool = True) -> str:
    """Return `: 1.1 % training error at 20 layers, 58 % at 56`.

    If it is not `named`, it is `: 0.4 % and 0.3 %`.

    It is empty text if several runs have the same seed: nothing is averaged then.
    """
    means = [average_error(groups[depth]) for depth in depths]
    if any(map(math.isnan, means)):
        return ""
    percents = format_percents(means)
    if not named:
        return f": {join_words(percents)}"
    places = [f"at {depth}" for depth in depths]
    places[0] += " layers"
    if error:
        percents[0] += f" {error}"
    parts = [f"{percent} {place}" for percent, place in zip(percents, places, strict=True)]
    return f": {', '.join(parts)}"


def average_error(runs: pd.DataFrame) -> float:
    """Return the mean training error of one network's runs, in percent, as in the tables."""
    interval = compute_finished_interval(runs, TRAINING_ERROR)
    return interval.mean if interval else math.nan
