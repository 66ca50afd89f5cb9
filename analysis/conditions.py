"""Runs cut so that within a part nothing but family, depth and seed differs: what may be averaged and compared."""

from typing import Any

import pandas as pd

from analysis.frame import Frame

# what may differ between the runs of one condition, beside the family (which tells a constructed network)
COMPARED = ("config.model.depth", "config.seed", "config.model.grown_from")
WARMUP = "config.schedule.warmup"


def _particulars(runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The configuration of each run without what COMPARED holds; and where a run fits any value of a key.

    A plain net has no shortcut and a shallow net may have no warm-up: such a run stands in every part that it fits.
    """
    keys = [key for key in map(str, runs) if key.startswith("config.") and key not in COMPARED]
    values = runs[keys].astype(object).where(runs[keys].notna(), None)
    fits_all = pd.DataFrame(False, index=runs.index, columns=keys)
    for key in keys:
        if key == "config.model.shortcut":
            fits_all[key] = runs["config.model.shortcut"] == "none"
        elif key.startswith(WARMUP):
            fits_all[key] = values[key].isna()
    return values, fits_all


def varying(runs: pd.DataFrame) -> list[str]:
    """The keys in which these runs differ, beside family, depth and seed: such as `config.optim.lr`."""
    values, fits_all = _particulars(runs)
    return [key for key in map(str, values) if values.loc[~fits_all[key], key].nunique(dropna=False) > 1]


def conditions(frame: Frame) -> list[tuple[str, Frame]]:
    """The frame cut so that within a part nothing but family, depth and seed differs: (what is particular, part)."""
    runs = frame.runs
    keys = varying(runs)
    if not keys:
        return [("", frame)]
    values, fits_all = _particulars(runs)
    whole = values.loc[~fits_all[keys].any(axis=1), keys]
    if whole.empty:
        whole = values[keys]
    distinct = whole.drop_duplicates()
    named = _telling(distinct)
    parts = []
    for _, particular in distinct.sort_values(keys, key=lambda column: column.map(_order)).iterrows():
        fits = ((values[keys] == particular) | fits_all[keys]).all(axis=1)
        label = ", ".join(f"{key.removeprefix('config.')}={particular[key]}" for key in named)
        parts.append((label, frame.where(runs.index[fits])))
    return parts


def _telling(distinct: pd.DataFrame) -> list[str]:
    """The fewest keys, numbers first, that tell the conditions apart; the others follow from them."""
    kept: list[str] = []
    for key in sorted(map(str, distinct), key=lambda key: isinstance(distinct[key].iloc[0], str)):
        if not kept or len(distinct[[*kept, key]].drop_duplicates()) > len(distinct[kept].drop_duplicates()):
            kept.append(key)
    return [key for key in map(str, distinct) if key in kept]


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers by size, then everything else by its text."""
    number = isinstance(value, int | float)
    return (not number, value if number else str(value))
