"""Runs cut so that within a part nothing but family, depth and seed differs: what may be averaged and compared."""

import math
from collections.abc import Iterable
from typing import Any

import pandas as pd

from analysis.frame import Frame
from degradation.run_id import PARENT_KEY

COMPARED = (
    "config.model.depth",
    "config.seed",
)  # what may differ between the runs of one condition, beside the family
WARMUP = "config.schedule.warmup"
GROWN_FROM = "config.model.grown_from"
NULL = "null"  # stands for no value: pandas finds none equal to itself


def _particulars(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The configuration of each run without what COMPARED holds; and where a run fits any value of a key.

    A plain net has no shortcut, most nets are not constructed, and a net may be too shallow for a warm-up: such a run
    stands in every part that it fits. A warm-up that was switched off is a value like others.
    """
    keys = [key for key in map(str, runs) if key.startswith("config.") and key not in COMPARED]
    values = runs[keys].astype(object).where(runs[keys].notna(), NULL)
    fits_any = pd.DataFrame(False, index=runs.index, columns=keys)
    for key in keys:
        if key == "config.model.shortcut":
            fits_any[key] = values[key] == "none"
        elif key == GROWN_FROM:
            fits_any[key] = values[key] == NULL
        elif key.startswith(f"config.{PARENT_KEY}."):
            fits_any[key] = ~_constructed(values)
    without = _without_warmup(values)
    too_shallow = without & (
        _constructed(values) | _shallower(runs["depth"], runs.loc[~without, "depth"])
    )
    for key in _of_warmup(keys):
        fits_any[key] = too_shallow
    return values, fits_any


def _of_warmup(keys: Iterable[object]) -> list[str]:
    """The group's own key, which is null or absent, and those inside it."""
    return [key for key in map(str, keys) if f"{key}.".startswith(f"{WARMUP}.")]


def _without_warmup(values: pd.DataFrame) -> "pd.Series[bool]":
    """All keys of the group are null: one of them alone may be, of a warm-up that ends by the error, say."""
    return (values[_of_warmup(values)] == NULL).all(axis=1)


def _constructed(values: pd.DataFrame) -> "pd.Series[bool]":
    """A constructed net has begun to learn already, and has no warm-up at any depth."""
    if GROWN_FROM not in values:
        return pd.Series(False, index=values.index)
    return values[GROWN_FROM] != NULL


def _shallower(depths: pd.Series, warmed: pd.Series) -> "pd.Series[bool]":
    """Than all nets that have the warm-up: the depth from which it is applied is in no record."""
    least = warmed.min() if len(warmed) else math.inf
    return depths < least


def find_varying_keys(runs: pd.DataFrame) -> list[str]:
    """The keys in which these runs differ, beside family, depth and seed: such as `config.optim.lr`."""
    values, fits_any = _particulars(runs)
    return [key for key in map(str, values) if values.loc[~fits_any[key], key].nunique() > 1]


def split_by_condition(frame: Frame) -> list[tuple[str, Frame]]:
    """The frame cut so that within a part nothing but family, depth and seed differs: (what is particular, part).

    Every run stands in one part at least.
    """
    runs = frame.runs
    keys = find_varying_keys(runs)
    if not keys:
        return [("", frame)]
    values, fits_any = _particulars(runs)
    whole = values.loc[~fits_any[keys].any(axis=1), keys]
    particulars = [
        row for _, row in whole.drop_duplicates().sort_values(keys, key=_ranks).iterrows()
    ]
    fitting = [_fits(runs["depth"], values, fits_any, one) for one in particulars]
    alone = ~pd.DataFrame([pd.Series(False, index=runs.index), *fitting]).any()
    while (
        alone.any()
    ):  # differs from each of these in a value that it has: makes a condition of its own
        particulars.append(values.loc[alone, keys].iloc[0])
        fitting.append(_fits(runs["depth"], values, fits_any, particulars[-1]))
        alone &= ~fitting[-1]
    apart = [place for place in range(len(fitting)) if not _stands_in_another(place, fitting)]
    particulars, fitting = (
        [particulars[place] for place in apart],
        [fitting[place] for place in apart],
    )
    named = _telling(pd.DataFrame(particulars))
    labels = [
        ", ".join(f"{key.removeprefix('config.')}={_shown(one[key])}" for key in named)
        for one in particulars
    ]
    return [
        (label, frame.select(runs.index[fits])) for label, fits in zip(labels, fitting, strict=True)
    ]


def _fits(
    depths: pd.Series, values: pd.DataFrame, fits_any: pd.DataFrame, particular: pd.Series
) -> "pd.Series[bool]":
    """Which runs stand in the part that is described by `particular`, a value per key that varies.

    A net without a warm-up stands beside those that have this one where it is shallower than each of them.
    """
    of_warmup = _of_warmup(particular.index)
    others = [key for key in map(str, particular.index) if key not in of_warmup]
    fits = (values[others].eq(particular[others]) | fits_any[others]).all(axis=1)
    alike = values[of_warmup].eq(particular[of_warmup]).all(axis=1)
    without = _without_warmup(values)
    shallower = _shallower(depths, depths[fits & alike & ~without])
    return fits & (alike | (without & (_constructed(values) | shallower)))


def _stands_in_another(place: int, fitting: list["pd.Series[bool]"]) -> bool:
    """Are all runs of this part in a larger one, such as a shallow net that alone says that it has no warm-up?"""
    runs = fitting[place]
    return any(not (runs & ~other).any() and bool((other & ~runs).any()) for other in fitting)


def _shown(value: Any) -> Any:
    """A whole number as one: pandas makes it a float where the key is null elsewhere."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _telling(distinct: pd.DataFrame) -> list[str]:
    """The fewest keys, numbers first, that tell the conditions apart; the others follow from them."""
    kept: list[str] = []
    for key in sorted(map(str, distinct), key=lambda key: isinstance(distinct[key].iloc[0], str)):
        if not kept or len(distinct[[*kept, key]].drop_duplicates()) > len(
            distinct[kept].drop_duplicates()
        ):
            kept.append(key)
    return [key for key in map(str, distinct) if key in kept]


def _ranks(column: pd.Series) -> pd.Series:
    """The place of each value among those of its column: numbers by size, then everything else by its text."""

    def order(value: Any) -> tuple[bool, Any]:
        number = isinstance(value, int | float)
        return (not number, value if number else str(value))

    rank = {value: place for place, value in enumerate(sorted(column.unique(), key=order))}
    return column.map(rank)
