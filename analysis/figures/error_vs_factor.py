"""Training error against one thing that differs between conditions, a panel a depth, a mark a family."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.columns import FINISHED_STATES, TRAINING_ERROR
from analysis.figures.style import CHANCE, FAMILIES, TEXT, chance_label
from analysis.frame import Frame
from analysis.summary import compute_interval

WIDTH = 0.16  # families stand side by side


def draw(frame: Frame, ax: Axes, key: str, depth: int, connected: bool) -> Axes:
    """`key`: a column of the frame; its values are evenly spaced."""
    runs = frame.runs[frame.runs["state"].isin([*FINISHED_STATES]) & (frame.runs["depth"] == depth)]
    values = ordered(frame.runs[key])
    present = [family for family in FAMILIES if family in set(frame.runs["family"])]
    beside = {
        value: [f for f in present if ((runs["family"] == f) & (runs[key] == value)).any()]
        for value in values
    }
    for family in present:
        style = dict(FAMILIES[family])
        places, means = [], []
        for place, value in enumerate(values):
            part = runs[(runs["family"] == family) & (runs[key] == value)]
            errors = part[TRAINING_ERROR].tolist()
            if not errors:
                continue
            one = compute_interval(part, TRAINING_ERROR)
            at = place + WIDTH * (beside[value].index(family) - (len(beside[value]) - 1) / 2)
            ax.scatter(
                [at] * len(errors),
                errors,
                s=20,
                alpha=0.6,
                color=style["color"],
                linewidths=0.6,
                zorder=3,
            )
            if one.n > 1:
                ax.errorbar(
                    [at], [one.mean], [[one.mean - one.low], [one.high - one.mean]], fmt="none",
                    ecolor=style["color"], capsize=4, linewidth=1.2,
                )  # fmt: skip
            ax.annotate(
                f"{one.mean:.1f}",
                (at, one.mean),
                (7, 4),
                textcoords="offset points",
                color=TEXT[family],
                fontsize=9,
            )
            places.append(at)
            means.append(one.mean)
        line = style.pop("linestyle")
        ax.plot(
            places,
            means,
            label=family,
            linestyle=line if connected else "none",
            markersize=6,
            **style,
        )
    chance = frame.runs["chance"].dropna()
    if len(chance):
        ax.axhline(chance.max(), label=chance_label(chance.max()), **CHANCE)
    ax.set_xticks(range(len(values)), [str(value) for value in values])
    ax.set_xlim(-0.5, len(values) - 0.4)
    ax.set_title(f"{depth} layers")
    return ax


def ordered(column: pd.Series) -> list[Any]:
    """The distinct values: numbers by size; `none` before the letters."""
    distinct = list(column.dropna().unique())
    return sorted(distinct, key=lambda value: (value != "none", value))


def plot(frame: Frame, key: str, label: str, connected: bool = True) -> Figure:
    """All depths on one scale."""
    depths = sorted(int(depth) for depth in frame.runs["depth"].unique())
    canvas = Figure(figsize=(max(4.4 * len(depths), 7), 4.6), layout="constrained")
    axes = canvas.subplots(1, len(depths), sharey=True, squeeze=False)[0]
    for ax, depth in zip(axes, depths, strict=True):
        draw(frame, ax, key, depth, connected)
        ax.set_xlabel(label)
    axes[0].set_ylabel(f"training error ({frame.error_kind}), %")
    axes[0].set_ylim(bottom=-4)
    axes[0].set_yticks([tick for tick in axes[0].get_yticks() if 0 <= tick <= 100])
    handles, labels = axes[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return canvas
