"""What a comparison across conditions consists of, and the table that all comparisons have."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.claim import Claim
from analysis.columns import TRAINING_ERROR
from analysis.figures.matplotlib_import import Figure
from analysis.finished_runs import is_finished
from analysis.frame import Frame
from analysis.summary import compute_finished_interval, interval_columns, repeated_seed_note
from degradation.metrics import TEST_ERROR


@dataclass(frozen=True)
class Comparison:
    """One section of a report: the claims about a factor, with a table and figures.

    Attributes:
        name: the stem of the table's file.
        title: the section's heading.
        claims: what the comparison decides.
        table: one row per value of the factor, family and depth.
        figures: each figure with its caption, by file stem.
        introduction: what else differs between the runs that are compared.
        margin: the margin of the claims in points of training error, or None if the claims have
            several.
        run_ids: the runs that are compared.
    """

    name: str
    title: str
    claims: list[Claim]
    table: pd.DataFrame
    figures: dict[str, tuple[Figure, str]]
    introduction: str = ""
    margin: float | None = None
    run_ids: tuple[str, ...] = ()


def judge_nothing(_runs: pd.DataFrame, _margin: float) -> list[Claim]:
    """Return no claims: the paper claims nothing about most keys."""
    return []


@dataclass(frozen=True)
class FactorSection:
    """How the comparison of a factor is presented, and what the paper claims about the factor.

    Attributes:
        title: the section's heading.
        name: the stem of its files.
        axis: the label of the factor's axis, with its unit.
        caption: what the figure of the error against the factor shows.
        judge: returns the paper's claims about the runs of one stratum, given the margin in points.
            They are judged only where nothing else varies with the factor.
        followers: prefixes of keys that may nevertheless vary with it.
        plot: returns a further figure of one stratum, which then takes the section's file stem.
        plot_caption: the caption of that figure.
    """

    title: str
    name: str
    axis: str
    caption: str
    judge: Callable[[pd.DataFrame, float], list[Claim]] = judge_nothing
    followers: str | None = None
    plot: Callable[[Frame], Figure] | None = None
    plot_caption: str = ""


def build_table(runs: pd.DataFrame, key: str) -> pd.DataFrame:
    """Return one row per value of the column `key`, family and depth.

    A run without a value, such as that of a network that lacks an option, has a row too.

    Each row has the number of finished runs, the mean errors with their 95 % Student-t confidence
    intervals over seeds (in percent), and the network's complexity.
    """
    rows: list[dict[str, Any]] = []
    for (value, family, depth), group in runs.groupby(
        [key, "family", "depth"], sort=True, dropna=False
    ):
        row: dict[str, Any] = {
            key.removeprefix("config."): value,
            "family": family,
            "depth": depth,
            "runs": int(is_finished(group).sum()),
        }
        for name, metric in (("training_error", TRAINING_ERROR), ("test_error", TEST_ERROR)):
            interval = compute_finished_interval(group, metric)
            row |= interval_columns(interval, name, ("mean", "low", "high"))
        for name in ("parameters", "multiply_adds"):
            row[name] = group[name].dropna().max()
        row |= repeated_seed_note(group, f"{family}-{depth}")
        rows.append(row)
    return pd.DataFrame(rows)
