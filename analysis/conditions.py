"""Runs cut so that within a part nothing but family, depth and seed differs: what may be averaged and compared."""

from typing import Any

import pandas as pd

from analysis.frame import Frame

COMPARED = ("config.model.depth", "config.seed")  # what may differ between the runs of one condition, beside the family
WARMUP = "config.schedule.warmup"
NULL = "null"  # stands for no value: pandas finds none equal to itself


def _particulars(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The configuration of each run without what COMPARED holds; and where a run fits any value of a key.

    A plain net has no shortcut, a shallow net may have no warm-up, and most nets are not constructed: such a run stands
    in every part that it fits.
    """
    keys = [key for key in map(str, runs) if key.startswith("config.") and key not in COMPARED]
    values = runs[keys].astype(object).where(runs[keys].notna(), NULL)
    fits_any = pd.DataFrame(False, index=runs.index, columns=keys)
    for key in keys:
        if key == "config.model.shortcut":
            fits_any[key] = values[key] == "none"
        elif key == "config.model.grown_from" or key.startswith(WARMUP):
            fits_any[key] = values[key] == NULL
    return values, fits_any


def varying(runs: pd.DataFrame) -> list[str]:
    """The keys in which these runs differ, beside family, depth and seed: such as `config.optim.lr`."""
    values, fits_any = _particulars(runs)
    return [key for key in map(str, values) if values.loc[~fits_any[key], key].nunique() > 1]


def conditions(frame: Frame) -> list[tuple[str, Frame]]:
    """The frame cut so that within a part nothing but family, depth and seed differs: (what is particular, part).

    Every run stands in one part at least.
    """
    runs = frame.runs
    keys = varying(runs)
    if not keys:
        return [("", frame)]
    values, fits_any = (table[keys] for table in _particulars(runs))
    whole = values[~fits_any.any(axis=1)]
    particulars = [row for _, row in whole.drop_duplicates().sort_values(keys, key=_ranks).iterrows()]
    fitting = [(values.eq(one) | fits_any).all(axis=1) for one in particulars]
    alone = ~pd.DataFrame([pd.Series(False, index=runs.index), *fitting]).any()
    while alone.any():  # differs from each of these in a value that it has: makes a condition of its own
        particulars.append(values[alone].iloc[0])
        fitting.append((values.eq(particulars[-1]) | fits_any).all(axis=1))
        alone &= ~fitting[-1]
    named = _telling(pd.DataFrame(particulars))
    labels = [", ".join(f"{key.removeprefix('config.')}={_shown(one[key])}" for key in named) for one in particulars]
    return [(label, frame.where(runs.index[fits])) for label, fits in zip(labels, fitting, strict=True)]


def _shown(value: Any) -> Any:
    """A whole number as one: pandas makes it a float where the key is null elsewhere."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _telling(distinct: pd.DataFrame) -> list[str]:
    """The fewest keys, numbers first, that tell the conditions apart; the others follow from them."""
    kept: list[str] = []
    for key in sorted(map(str, distinct), key=lambda key: isinstance(distinct[key].iloc[0], str)):
        if not kept or len(distinct[[*kept, key]].drop_duplicates()) > len(distinct[kept].drop_duplicates()):
            kept.append(key)
    return [key for key in map(str, distinct) if key in kept]


def _ranks(column: pd.Series) -> pd.Series:
    """The place of each value among those of its column: numbers by size, then everything else by its text."""

    def order(value: Any) -> tuple[bool, Any]:
        number = isinstance(value, int | float)
        return (not number, value if number else str(value))

    rank = {value: place for place, value in enumerate(sorted(column.unique(), key=order))}
    return column.map(rank)
