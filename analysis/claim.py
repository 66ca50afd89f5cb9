"""A claim's verdict and what it rests on: the words that all claims share.

Absence is shown by a bound, never by a test that failed to reject. Every run counts, diverged ones at chance.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

import pandas as pd

from analysis.columns import (
    ENDED_AT,
    ERROR_STEP,
    FINISHED_STATES,
    TRAINING_ERROR,
    UNTRAINED_WITHIN_POINTS,
)
from analysis.statistics import LEVEL, Bounds, Difference, holm, paired, simultaneous, welch
from degradation.records.schema import State

Key = TypeVar("Key")  # what tells the differences of one claim apart, such as a depth

NAMED = 3  # runs that the evidence names before it counts the rest


class Verdict(StrEnum):
    REPRODUCED = "reproduced"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTED = "not tested"


@dataclass(frozen=True)
class Claim:
    """`decisive` is what the verdict rests on, `evidence` all of it, `notes` what a reader must know besides."""

    name: str
    statement: str
    verdict: Verdict
    decisive: str
    evidence: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Groups = dict[int, pd.DataFrame]
Compare = Callable[
    [pd.DataFrame, pd.DataFrame], Bounds
]  # the training error of some runs minus that of others


def missing_requirements(families: dict[str, Groups], depths: int) -> list[str]:
    """Why the claim cannot be tested on these runs: empty where it can.

    Depths, runs or seeds that it lacks, and seeds that are there twice.
    """
    reasons = []
    for family, groups in families.items():
        for depth, part in groups.items():
            reasons += repeated(part, f"{family}-{depth}")
        if len(groups) < depths:
            reasons.append(
                f"needs {depths} depth{'s' if depths > 1 else ''} of {family} nets, has {len(groups)}"
            )
        runs = pd.concat(groups.values()) if groups else pd.DataFrame({"state": []})
        for state, absent in runs[~runs["state"].isin([*FINISHED_STATES])].groupby("state"):
            named = [_named(run) for run in absent.to_dict("records")]
            more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
            verb = "is" if len(named) == 1 else "are"
            reasons.append(
                f"{len(named)} of {len(runs)} {family} runs {verb} {state}: {', '.join(named[:NAMED])}{more}"
            )
        few = [str(depth) for depth, part in groups.items() if len(part) < 2]
        if few:
            reasons.append(
                f"{family} nets of {', '.join(few)} layers have one seed; an interval needs two"
            )
    return reasons


def repeated(part: pd.DataFrame, net: str) -> list[str]:
    """A reason for each seed that more than one finished run of a network has; a mean would count that seed twice.

    Such runs differ in something that the configuration does not show, and which of them is meant cannot be known.
    """
    finished = part[part["state"].isin([*FINISHED_STATES])]
    several = finished[finished["seed"].duplicated(keep=False)]
    return [
        f"seed {seed} of {net} is there {_times(len(runs))}: run ids {', '.join(map(str, runs['run_id']))}"
        for seed, runs in several.groupby("seed")
    ]


def _times(count: int) -> str:
    return "twice" if count == 2 else f"{count} times"


def ended_at(run: Mapping[Any, Any]) -> str:
    """Such as `at iteration 7`, of a run that diverged or failed; empty where that is not known."""
    at = run.get(ENDED_AT)
    known = run["state"] in (State.DIVERGED, State.FAILED) and at is not None and not pd.isna(at)
    return f"at iteration {at:,.0f}" if known else ""


def _named(run: Mapping[Any, Any]) -> str:
    """A run that has no result, with what is known of its failure."""
    reason = run.get("reason") if run["state"] == State.FAILED else None
    told = [part for part in (ended_at(run), reason) if isinstance(part, str) and part]
    return f"{run['run_id']} ({': '.join(told)})" if told else str(run["run_id"])


def diverged_of(part: pd.DataFrame, net: str) -> list[str]:
    """A line where some of these runs diverged: how many, when, and how they count."""
    diverged = part[part["state"] == State.DIVERGED].to_dict("records")
    if not diverged:
        return []
    at = ", ".join(filter(None, map(ended_at, diverged)))
    return [
        f"{len(diverged)} of {len(part)} runs of {net} diverged{f' ({at})' if at else ''} and count at chance"
    ]


def untrained(part: pd.DataFrame) -> bool:
    """Is the mean of a depth's runs within two points of chance? Kept apart from degradation.

    This is the one rule for a depth; the frame's column `untrained` says the same of a single run.
    """
    return bool(part[TRAINING_ERROR].mean() >= part["chance"].mean() - UNTRAINED_WITHIN_POINTS)


def difference_of(a: pd.DataFrame, b: pd.DataFrame) -> Difference:
    """The training error of runs a minus that of b, by Welch: whichever seeds they have."""
    return welch(a[TRAINING_ERROR].tolist(), b[TRAINING_ERROR].tolist(), resolution_of(a, b))


def resolution_of(*parts: pd.DataFrame, column: str = ERROR_STEP) -> float:
    """The largest step in which an error of these runs moves, in points; 0 where none is known."""
    step = pd.concat([part[column] for part in parts]).astype(float).max()
    return 0.0 if pd.isna(step) else float(step)


def paired_by_seed(a: pd.DataFrame, b: pd.DataFrame) -> Difference | None:
    """The same difference within each seed; None where the two have not the same seeds, two or more.

    Runs of one seed share the order of the data, the augmentation and the initialisation, so that this bound may be
    the closer one. It stands beside the verdict, which rests on Welch's (analysis.statistics).
    """
    first, second = (part.set_index("seed")[TRAINING_ERROR].sort_index() for part in (a, b))
    seeds = first.index
    if len(seeds) < 2 or not seeds.is_unique or not seeds.equals(second.index):
        return None
    return paired(first.tolist(), second.tolist(), resolution_of(a, b))


@dataclass(frozen=True)
class Decision(Generic[Key]):
    """A verdict about several differences, and the one that it rests on."""

    verdict: Verdict
    worst: Key
    side: str  # of that one's bound: lower, upper
    together: int  # how many bounds hold together with 95 %: 1 where each must hold alone


def decide_below(differences: Mapping[Key, Bounds], margin: float) -> Decision[Key]:
    """Is every difference below the margin?

    Reproduced: each one-sided 95 % upper bound is. All must hold, so no correction for their number is needed
    (intersection-union). Contradicted: at least one is above the margin. Any of them may do that by chance, so their
    number counts: Holm's procedure, of which the lower bound that is shown is the first step. A difference that is NaN
    allows neither.
    """
    if any(holm([one.p_above(margin) for one in differences.values()])):
        level = simultaneous(len(differences))
        worst = max(
            differences, key=lambda key: _known(differences[key].lower_at(level), -math.inf)
        )
        return Decision(Verdict.CONTRADICTED, worst, "lower", len(differences))
    all_below = all(one.upper < margin for one in differences.values())
    worst = max(differences, key=lambda key: _known(differences[key].upper, math.inf))
    return Decision(Verdict.REPRODUCED if all_below else Verdict.INCONCLUSIVE, worst, "upper", 1)


def decide_above(differences: Mapping[Key, Bounds], margin: float) -> Decision[Key]:
    """Is every difference above the margin? The mirror image of `decide_below`."""
    mirrored = {key: difference.mirrored() for key, difference in differences.items()}
    decision = decide_below(mirrored, -margin)
    side = {"lower": "upper", "upper": "lower"}[decision.side]
    return Decision(decision.verdict, decision.worst, side, decision.together)


def _known(value: float, instead: float) -> float:
    return instead if math.isnan(value) else value


def bound(difference: Bounds, side: str, together: int = 1) -> str:
    """Its mean and one bound, in points. `together`: how many such bounds hold with 95 % (Decision)."""
    return f"{difference.mean:+.2f} points, {bound_name(side, together)} {bound_value(difference, side, together):+.2f}"


def bound_value(difference: Bounds, side: str, together: int = 1) -> float:
    level = simultaneous(together)
    return difference.lower_at(level) if side == "lower" else difference.upper_at(level)


def bound_name(side: str, together: int = 1) -> str:
    """Such as `95 % lower bound` or `95 % lower bound (Holm, 4 together)`."""
    return f"{100 * LEVEL:.0f} % {side} bound" + (
        f" (Holm, {together} together)" if together > 1 else ""
    )


def format_interval(difference: Bounds, method: str | None = None) -> str:
    """Its mean with every bound, in points. `method`: whose bounds they are, where the difference does not say."""
    return (
        f"{difference.mean:+.2f} points ({method or difference.method}: one-sided 95 % bounds {difference.lower:+.2f},"
        f" {difference.upper:+.2f}; two-sided 95 % interval {difference.low:+.2f} to {difference.high:+.2f})"
    )


def compared(difference: Bounds, a: pd.DataFrame, b: pd.DataFrame) -> str:
    """All bounds of the difference of runs a and b; where they have the same seeds, those by seed beside them."""
    by_seed = paired_by_seed(a, b) if isinstance(difference, Difference) else None
    if by_seed is None:
        return format_interval(difference)
    return f"{format_interval(difference)}; paired by seed: one-sided 95 % bounds {by_seed.lower:+.2f}, {by_seed.upper:+.2f}"


def caveats(runs: pd.DataFrame, *families: Groups) -> list[str]:
    """What a reader must know beside the numbers."""
    notes = []
    for groups in families:
        for depth, part in groups.items():
            family = part["family"].iloc[0]
            if untrained(part):
                error = part[TRAINING_ERROR].mean()
                notes.append(
                    f"{family}-{depth} is untrained: {error:.1f} %, within {UNTRAINED_WITHIN_POINTS:g} points of chance"
                )
            notes += diverged_of(part, f"{family}-{depth}")
    kinds = sorted(runs["device"].dropna().str.split(":").str[0].unique())
    if len(kinds) > 1:
        notes.append(f"the runs are from different classes of device: {', '.join(kinds)}")
    threads = sorted(runs.loc[runs["device"] == "cpu", "threads"].dropna().unique())
    if len(threads) > 1:
        notes.append(
            "the runs were trained with different numbers of CPU threads, which changes their bits:"
            f" {', '.join(threads)}"
        )
    return notes
