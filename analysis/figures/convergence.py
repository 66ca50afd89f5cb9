"""Iterations to a share of chance error against depth: every run and two fits, then the medians of four shares."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import FAMILIES, depth_style
from analysis.interval_censoring import EXPONENTIAL, Fit

SHIFT = 0.9  # layers between runs of one depth
BEYOND = 10.0  # of the last iteration: how far up the fits are followed
NEVER: dict[str, Any] = {
    "marker": "^",
    "markerfacecolor": "white",
    "markersize": 9,
    "linestyle": "none",
    "zorder": 4,
}
DROPS: dict[str, Any] = {"color": "0.55", "linewidth": 0.9, "linestyle": (0, (2, 3)), "zorder": 0}


def draw(times: pd.DataFrame, ax: Axes, fits: list[Fit], fitted: str) -> Axes:
    """`times`: rows of one threshold. A mark a run; `fits`: of the family `fitted`."""
    families = [family for family in FAMILIES if family in set(times["family"])]
    for place, family in enumerate(families):
        color, marker = FAMILIES[family]["color"], FAMILIES[family]["marker"]
        for _, part in times[times["family"] == family].sort_values("seed").groupby("depth"):
            middle = (len(part) - 1) / 2
            shift = (
                np.arange(len(part)) - middle + (place - (len(families) - 1) / 2) * (2 * middle + 2)
            )
            x, by = part["depth"].to_numpy() + SHIFT * shift, part["by"].to_numpy()
            never = np.isinf(by)
            ax.plot(x[never], part["last"].to_numpy()[never], color=color, **NEVER)
            x, after, by = x[~never], part["after"].clip(lower=1).to_numpy()[~never], by[~never]
            # one line for all runs, which NaN cuts: an artist a run would take minutes to draw
            apart = np.full(len(x), math.nan)
            ends = (
                np.column_stack(columns).ravel() for columns in ((x, x, apart), (after, by, apart))
            )
            ax.plot(*ends, color=color, linewidth=1.3, alpha=0.6)
            ax.plot(x, by, color=color, marker=marker, markersize=5, linestyle="none", zorder=3)
    depths = np.linspace(times["depth"].min(), times["depth"].max(), 200)
    for one in fits:
        look = "-" if one.form == EXPONENTIAL else (0, (5, 2))
        ax.plot(
            depths,
            one.time(depths),
            color=FAMILIES[fitted]["color"],
            linestyle=look,
            linewidth=1.8,
            zorder=2,
        )
    return ax


def draw_shares(times: pd.DataFrame, ax: Axes) -> Axes:
    """`times`: rows of one family. The median time against depth, a line a threshold, the easiest lightest."""
    thresholds = sorted(times["threshold"].unique(), reverse=True)
    for index, threshold in enumerate(thresholds):
        part = times[times["threshold"] == threshold]
        medians, last = part.groupby("depth")["by"].median(), part.groupby("depth")["last"].max()
        style = depth_style(index, len(thresholds))
        x = medians.index.to_numpy(dtype=float) + SHIFT * (index - (len(thresholds) - 1) / 2)
        never = np.isinf(medians.to_numpy())
        known = ~(
            never & np.roll(never, 1)
        )  # no line from one censored median to the next: it would look level
        known[0] = True
        ax.plot(x, medians.where(~never, last).where(known), linewidth=1.6, **style)
        ax.plot(
            x[~never],
            medians[~never],
            marker="o",
            markersize=5,
            linestyle="none",
            color=style["color"],
        )
        ax.plot(x[never], last[never], color=style["color"], **NEVER)
    return ax


def plot(
    times: pd.DataFrame, fits: list[Fit], fitted: str, threshold: float, milestones: list[int]
) -> Figure:
    """`threshold`: the share of chance error of the first panel and the fits. All panels have one scale."""
    families = [family for family in FAMILIES if family in set(times["family"])]
    depths, last = (
        sorted(int(depth) for depth in times["depth"].unique()),
        float(times["last"].max()),
    )
    canvas = Figure(figsize=(5.4 + 3.7 * len(families), 5.8), layout="constrained")
    axes = canvas.subplots(
        1, 1 + len(families), sharey=True, width_ratios=[1.5] + [1] * len(families)
    )
    draw(times[times["threshold"] == threshold], axes[0], fits, fitted)
    axes[0].set_title(f"every run, to {Fraction(threshold)} of chance error")
    for ax, family in zip(axes[1:], families, strict=True):
        draw_shares(times[times["family"] == family], ax)
        ax.set_title(f"{family}: medians")
    for ax in axes:
        ax.set_yscale("log")
        ax.set_xlabel("depth (layers)")
        ax.set_xticks(depths, [str(depth) for depth in depths])
        ax.axhspan(last, BEYOND * last, color="0.94", lw=0, zorder=-1)
        for milestone in milestones:
            ax.axhline(milestone, **DROPS)
    first = times["by"].min()
    axes[0].set_ylim((min(first, last) / 2, BEYOND * last))
    axes[0].set_ylabel("iterations until the training error is there")
    axes[0].text(
        0.02, 0.98, "longer than the training", transform=axes[0].transAxes, va="top", color="0.35"
    )
    canvas.legend(
        handles=_handles(times, fits, families, fitted),
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    return canvas


def _handles(
    times: pd.DataFrame, fits: list[Fit], families: list[str], fitted: str
) -> list[Line2D]:
    color = FAMILIES[fitted]["color"]
    runs = [
        Line2D(
            [],
            [],
            color=FAMILIES[one]["color"],
            marker=FAMILIES[one]["marker"],
            label=f"{one}, a run",
        )
        for one in families
    ]
    never = Line2D([], [], color="0.3", label="never got there", **NEVER)
    lines = [
        Line2D(
            [],
            [],
            color=color,
            linestyle="-" if one.form == EXPONENTIAL else (0, (5, 2)),
            label=f"{one.form} fit",
        )
        for one in fits
    ]
    thresholds = sorted(times["threshold"].unique(), reverse=True)
    shares = [
        Line2D(
            [],
            [],
            linewidth=1.6,
            label=f"to {Fraction(one)} of chance error",
            **depth_style(i, len(thresholds)),
        )
        for i, one in enumerate(thresholds)
    ]
    return [*runs, never, *lines, *shares]
