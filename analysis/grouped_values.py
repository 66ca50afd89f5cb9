"""A value per run, grouped by depth: what claims about a family and figures against depth take."""

import math

import pandas as pd

from analysis.frame import group_by_depth


def group_values(values: pd.DataFrame, family: str, column: str) -> dict[int, list[float]]:
    """Return the values of one family by depth, shallowest first, with NaN.

    `values`: one row per run.
    """
    groups = group_by_depth(values, family)
    return {depth: group[column].astype(float).tolist() for depth, group in groups.items()}


def group_known_values(values: pd.DataFrame, family: str, column: str) -> dict[int, list[float]]:
    """Return the known values of one family by depth, shallowest first, without NaN.

    `values`: one row per run. A depth at which no value is known has an empty list.
    """
    groups = group_values(values, family, column)
    return {
        depth: [value for value in group if not math.isnan(value)]
        for depth, group in groups.items()
    }
