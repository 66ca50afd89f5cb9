"""Conditions: sets of runs that differ only in family, depth and seed.

Only the runs of one condition may be averaged and compared by the claims. A run can belong to
several conditions: a plain network has no shortcut, so it is compared with every kind of shortcut
and, if it lacks an option of the block, with every value of that option; a network that is not
constructed has no parent; and a network may be too shallow for a warm-up. For such a run the value
of the key in question does not matter ("fits any" below).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.condition_labels import (
    ALWAYS_NAMED,
    NULL,
    OPTIONS_PREFIX,
    fill_null,
    label_conditions,
)
from analysis.frame import Frame
from analysis.leading_keys import select_leading_keys
from degradation.run_id import PARENT_KEY

FREE_KEYS = ("config.model.depth", "config.seed")  # these may differ within a condition
SHORTCUT = "config.model.shortcut"
GROWN_FROM = "config.model.grown_from"
WARMUP = "config.schedule.warmup"

Mask = pd.Series  # one bool per run


@dataclass(frozen=True)
class _Settings:
    """The runs' configurations, excluding FREE_KEYS: one row per run, one column per key."""

    values: pd.DataFrame  # NULL stands for None
    fits_any: pd.DataFrame  # True where the run fits any value of the key
    depths: pd.Series


@dataclass(frozen=True)
class Condition:
    """Runs that differ in family, depth and seed only.

    Attributes:
        label: what distinguishes the condition from the others, such as `learning rate 0.1`, or
            empty text if it is the only one.
        values: the value of each key that varies between conditions; NULL stands for None.
        frame: the runs.
    """

    label: str
    values: dict[str, Any]
    frame: Frame


@dataclass(frozen=True)
class _ConditionRuns:
    """A condition as the values of the keys that vary, and the runs that belong to it."""

    values: pd.Series  # one value for each key that varies
    is_member: Mask


def find_varying_keys(runs: pd.DataFrame) -> list[str]:
    """Return the keys in which these runs differ besides family, depth and seed.

    The keys are columns of `Frame.runs`, such as `config.optim.lr`.
    """
    settings = _read_settings(runs)
    varying = []
    for key in map(str, settings.values):
        relevant = settings.values.loc[~settings.fits_any[key], key]
        if relevant.nunique() > 1:
            varying.append(key)
    return varying


def list_conditions(frame: Frame) -> list[Condition]:
    """Return the conditions; every run belongs to at least one.

    The labels name the keys that lead, and ALWAYS_NAMED; others that follow are not named.
    """
    keys = find_varying_keys(frame.runs)
    if not keys:
        return [Condition("", {}, frame)]
    settings = _read_settings(frame.runs)
    conditions = _drop_contained(_list_condition_runs(settings, keys))
    values = pd.DataFrame([condition.values for condition in conditions])
    leading = select_leading_keys(values)
    named = [key for key in ALWAYS_NAMED if key in values and key not in leading]
    labels = label_conditions(values[[*leading, *named]])
    return [
        Condition(
            label=label,
            values={str(key): value for key, value in condition.values.items()},
            frame=frame.select(frame.runs.index[condition.is_member]),
        )
        for label, condition in zip(labels, conditions, strict=True)
    ]


def _read_settings(runs: pd.DataFrame) -> _Settings:
    """Return the values of all keys, and where a run fits any value."""
    columns = [str(column) for column in runs]
    keys = [key for key in columns if key.startswith("config.") and key not in FREE_KEYS]
    values = fill_null(runs[keys])
    fits_any = pd.DataFrame(False, index=runs.index, columns=keys)
    constructed = _is_constructed(values)
    for key in keys:
        if key == SHORTCUT:
            fits_any[key] = values[key] == "none"
        elif key == GROWN_FROM:
            fits_any[key] = values[key] == NULL
        elif key.startswith(f"config.{PARENT_KEY}."):
            fits_any[key] = ~constructed
        elif key.startswith(f"config.{OPTIONS_PREFIX}") and SHORTCUT in values:
            # A plain network that has the option is a network of its own.
            fits_any[key] = (values[SHORTCUT] == "none") & (values[key] == NULL)
    # A network without a warm-up fits any value if it is too shallow for the warm-up of the others.
    # In a deeper network, no warm-up means that it was switched off, which is a setting like any
    # other.
    lacks_warmup = _is_without_warmup(values)
    is_shallower = _is_shallower(runs["depth"], runs.loc[~lacks_warmup, "depth"])
    for key in _select_warmup_keys(keys):
        fits_any[key] = lacks_warmup & (constructed | is_shallower)
    return _Settings(values, fits_any, runs["depth"])


def _list_condition_runs(settings: _Settings, keys: list[str]) -> list[_ConditionRuns]:
    """Return conditions that cover all runs: one for each combination of values that occurs."""
    complete = settings.values.loc[~settings.fits_any[keys].any(axis=1), keys]
    combinations = complete.drop_duplicates().sort_values(keys, key=_rank_values)
    conditions = [_build_condition_runs(settings, values) for _, values in combinations.iterrows()]
    uncovered = pd.Series(True, index=settings.values.index)
    for condition in conditions:
        uncovered &= ~condition.is_member
    while uncovered.any():
        # This run differs from every condition in a key that matters to it.
        values = settings.values.loc[uncovered, keys].iloc[0]
        condition = _build_condition_runs(settings, values)
        conditions.append(condition)
        uncovered &= ~condition.is_member
    return conditions


def _build_condition_runs(settings: _Settings, values: pd.Series) -> _ConditionRuns:
    """Return the condition with these values of the keys that vary, and the runs that fit it."""
    warmup_keys = _select_warmup_keys(values.index)
    other_keys = [key for key in map(str, values.index) if key not in warmup_keys]
    same = settings.values[other_keys].eq(values[other_keys])
    fits = (same | settings.fits_any[other_keys]).all(axis=1)
    same_warmup = settings.values[warmup_keys].eq(values[warmup_keys]).all(axis=1)
    # Whether a network is too shallow for a warm-up depends on the runs of this condition.
    lacks_warmup = _is_without_warmup(settings.values)
    with_this_warmup = settings.depths[fits & same_warmup & ~lacks_warmup]
    is_shallower = _is_shallower(settings.depths, with_this_warmup)
    is_exempt = lacks_warmup & (_is_constructed(settings.values) | is_shallower)
    return _ConditionRuns(values, fits & (same_warmup | is_exempt))


def _drop_contained(conditions: list[_ConditionRuns]) -> list[_ConditionRuns]:
    """Return the conditions whose runs are not all part of a larger one.

    A contained condition arises when a network is too shallow for the warm-up of its own condition,
    but not for that of another one.
    """
    return [
        condition
        for condition in conditions
        if not any(_is_contained(condition, other) for other in conditions)
    ]


def _is_contained(condition: _ConditionRuns, other: _ConditionRuns) -> bool:
    """Return whether the runs of a condition are a proper subset of the other's."""
    outside = (condition.is_member & ~other.is_member).any()
    is_larger = (other.is_member & ~condition.is_member).any()
    return bool(is_larger and not outside)


def _is_constructed(values: pd.DataFrame) -> Mask:
    """Return which networks are constructed.

    They start from trained weights and never have a warm-up.
    """
    if GROWN_FROM not in values:
        return pd.Series(False, index=values.index)
    return values[GROWN_FROM] != NULL


def _is_without_warmup(values: pd.DataFrame) -> Mask:
    """Return which runs have no warm-up.

    These are the runs in which all warm-up keys are null (an active warm-up may leave some of them
    null).
    """
    return (values[_select_warmup_keys(values)] == NULL).all(axis=1)


def _is_shallower(depths: pd.Series, warmup_depths: pd.Series) -> Mask:
    """Return which networks are shallower than every network with the warm-up.

    Records do not state from which depth a warm-up applies.
    """
    shallowest = warmup_depths.min() if len(warmup_depths) else math.inf
    return depths < shallowest


def _select_warmup_keys(keys: Iterable[object]) -> list[str]:
    """Return the warm-up key itself and the keys of its group.

    The warm-up key itself is a column only if some run sets it to null.
    """
    return [key for key in map(str, keys) if f"{key}.".startswith(f"{WARMUP}.")]


def _rank_values(column: pd.Series) -> pd.Series:
    """Return the rank of each value: numbers by size, then everything else by its text."""

    def sort_key(value: Any) -> tuple[bool, Any]:
        is_number = isinstance(value, int | float)
        return (not is_number, value if is_number else str(value))

    ranks = {value: rank for rank, value in enumerate(sorted(column.unique(), key=sort_key))}
    return column.map(ranks)
