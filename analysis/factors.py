"""The factors of a sweep: the keys whose values can be compared while everything else is equal.

A factor is a key that leads (`analysis.leading_keys`). Its values are compared within a stratum: a
set of conditions that have the same value of every other factor. If the learning rate and the width
are crossed, the widths are compared at each learning rate, and the learning rates at each width.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.condition_labels import label_values, sort_values
from analysis.conditions import Condition, list_conditions
from analysis.frame import Frame
from analysis.leading_keys import select_leading_keys

# Other images have another scale of errors, and claims about them another margin.
DATA_KEYS = {"config.data.name", "config.data.content"}


@dataclass(frozen=True)
class Stratum:
    """Conditions that differ in one factor only.

    Attributes:
        label: the values of the other factors, such as `learning rate 0.1`; empty if there is no
            other factor.
        others: the values of the other factors, by key.
        conditions: the condition of each value of the factor, in order.
        labels: the label of each value, such as `width 8`.
        followers: the keys that vary with the factor, such as those of an optimiser.
        frame: the runs of all conditions.
    """

    label: str
    others: dict[str, Any]
    conditions: dict[Any, Condition]
    labels: dict[Any, str]
    followers: tuple[str, ...]
    frame: Frame

    @property
    def data_set(self) -> str:
        """The data set, which is the same for all of the runs."""
        return str(self.frame.runs["data"].iloc[0])


@dataclass(frozen=True)
class Factor:
    """A key with several values, and the strata in which they can be compared."""

    key: str
    strata: tuple[Stratum, ...]


def find_factors(frame: Frame) -> list[Factor]:
    """Return the factors of these runs, the most important key first.

    A stratum with a single value of the factor is skipped, and so is one with several data sets:
    their errors have no common margin. A factor without strata is skipped too.
    """
    conditions = list_conditions(frame)
    table = pd.DataFrame([condition.values for condition in conditions])
    leading = select_leading_keys(table)
    factors = []
    for key in leading:
        others = [other for other in leading if other != key]
        strata = _build_strata(frame, conditions, table, key, others)
        if strata:
            factors.append(Factor(key, tuple(strata)))
    return factors


def _build_strata(
    frame: Frame, conditions: list[Condition], table: pd.DataFrame, key: str, others: list[str]
) -> list[Stratum]:
    """Return the strata of one factor. `table`: the values of the conditions, in their order."""
    labels = label_values(key, sort_values(table[key]))
    other_labels = {other: label_values(other, table[other]) for other in others}
    members: dict[tuple[Any, ...], list[Condition]] = {}
    for condition in conditions:
        combination = tuple(condition.values[other] for other in others)
        members.setdefault(combination, []).append(condition)
    strata = []
    for combination, stratum in members.items():
        by_value = {condition.values[key]: condition for condition in stratum}
        values = [value for value in labels if value in by_value]
        varying = _find_varying(stratum)
        if len(values) < 2 or DATA_KEYS & varying:
            continue
        named = zip(others, combination, strict=True)
        strata.append(
            Stratum(
                label=", ".join(other_labels[other][value] for other, value in named),
                others=dict(zip(others, combination, strict=True)),
                conditions={value: by_value[value] for value in values},
                labels={value: labels[value] for value in values},
                followers=tuple(name for name in table if name in varying - {key}),
                frame=_join_frames(frame, stratum),
            )
        )
    return strata


def _find_varying(conditions: list[Condition]) -> set[str]:
    """Return the keys that have several values in these conditions."""
    table = pd.DataFrame([condition.values for condition in conditions])
    return {str(key) for key in table if table[key].nunique() > 1}


def _join_frames(frame: Frame, conditions: list[Condition]) -> Frame:
    """Return the runs of these conditions; a run that belongs to several occurs once."""
    members = pd.Series(False, index=frame.runs.index)
    for condition in conditions:
        members[condition.frame.runs.index] = True
    return frame.select(frame.runs.index[members])
