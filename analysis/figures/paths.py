"""How many paths of each length, what one of them carries, what all of them carry (Veit et al. 2016, figure 6)."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import FAMILIES
from analysis.probes import END, INITIALISATION

ALL: dict[str, Any] = {"color": "0.55", "linewidth": 1.5}  # of all paths, whatever they carry
HALF: dict[str, Any] = {"color": "0.25", "linestyle": ":", "linewidth": 1.5}  # n/2
# two moments of one family: apart by colour, line and marker
MOMENTS: dict[str, dict[str, Any]] = {
    INITIALISATION: {"color": "#E69F00", "linestyle": "--", "marker": "^"},
    END: {"color": "#0072B2", "linestyle": "-", "marker": "o"},
}


def draw(table: pd.DataFrame, ax: Axes, column: str, logarithmic: bool = False) -> Axes:
    """`table`: rows of one family, depth and moment. The mean of `column` over runs by length, and their band."""
    style = dict(MOMENTS[table["moment"].iloc[0]])
    if not logarithmic:
        style.pop("marker")
    runs = table.pivot_table(index="length", columns="run_id", values=column)
    ax.plot(
        runs.index,
        runs.mean(axis=1),
        linewidth=2,
        markersize=5,
        label=table["moment"].iloc[0],
        **style,
    )
    ax.fill_between(
        runs.index, runs.min(axis=1), runs.max(axis=1), alpha=0.2, color=style["color"], lw=0
    )
    return ax


def draw_depths(lengths: pd.DataFrame, ax: Axes) -> Axes:
    """`lengths`: rows of one family: `effective` and `blocks`. Points are runs, lines means, a moment each."""
    places = {depth: place for place, depth in enumerate(sorted(lengths["depth"].unique()))}
    for moment, style in MOMENTS.items():
        part = lengths[lengths["moment"] == moment].dropna(subset="effective")
        share = part["effective"] / part["blocks"]
        means = share.groupby(part["depth"]).mean()
        ax.plot(
            [places[depth] for depth in means.index],
            means,
            color=style["color"],
            linestyle=style["linestyle"],
        )
        ax.scatter(
            part["depth"].map(places), share, color=style["color"], marker=style["marker"], s=28
        )
    ax.axhline(0.5, **HALF)
    ax.set_xticks(list(places.values()), [str(depth) for depth in places])
    ax.set_ylim(0, 1)
    ax.set_title("all depths")
    ax.set_xlabel("layers")
    ax.set_ylabel("effective length / n")
    return ax


def plot(table: pd.DataFrame, lengths: pd.DataFrame) -> Figure:
    """A row a family, four panels: the deepest net's three by length, and the effective length of all depths."""
    families = [family for family in FAMILIES if family in set(table["family"])]
    canvas = Figure(figsize=(15, 3.9 * len(families) + 0.5), layout="constrained")
    axes = canvas.subplots(len(families), 4, squeeze=False)
    for row, family in zip(axes, families, strict=True):
        part = table[(table["family"] == family) & table["moment"].isin(MOMENTS)]
        part = part[part["depth"] == part["depth"].max()]
        totals = part.groupby(["run_id", "moment"])["sum_gradient"].transform(
            lambda norms: norms.sum(skipna=False)
        )
        part = part.assign(share=part["sum_gradient"] / totals.where(totals > 0))
        of_family = lengths[lengths["family"] == family]
        _three(part, of_family[of_family["depth"] == part["depth"].max()], row[:3])
        draw_depths(of_family, row[3])
        row[0].set_title(f"{family}, {part['depth'].max()} layers: how many")
    handles = [handle for handle in axes[0][2].lines if not str(handle.get_label()).startswith("_")]
    canvas.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return canvas


def _three(part: pd.DataFrame, lengths: pd.DataFrame, axes: Any) -> None:
    """`part`: rows of one family and depth; `lengths`: its runs' effective lengths."""
    count, one, total = axes
    n = int(part["length"].max())
    paths = part.groupby("length")["paths"].first()
    for ax in (count, total):
        ax.plot(paths.index, paths / paths.sum(), label="share of the paths", **ALL)
    for moment in MOMENTS:
        of_moment = part[part["moment"] == moment]
        if of_moment.empty:
            continue
        draw(of_moment.dropna(subset="path_gradient"), one, "path_gradient", logarithmic=True)
        if of_moment["share"].notna().any():
            draw(of_moment, total, "share")
        effective = lengths.loc[lengths["moment"] == moment, "effective"].mean()
        colour, line = MOMENTS[moment]["color"], MOMENTS[moment]["linestyle"]
        total.axvline(
            effective,
            color=colour,
            linestyle=line,
            linewidth=1,
            label=f"effective length, {moment}",
        )
    for ax in axes:
        ax.axvline(n / 2, label="n/2, the mean path", **HALF)
        ax.set_xlim(0, n)
        ax.set_xlabel("length of a path, blocks")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    count.set_ylabel("share of all paths")
    one.set_ylabel("norm of one path's dE/dx")
    total.set_ylabel("share of the norms of dE/dx")
    one.set_title("what one of them carries")
    total.set_title("what all of one length carry")
    one.set_yscale("log")
    top = max(count.get_ylim()[1], total.get_ylim()[1])
    for ax in (count, total):
        ax.set_ylim(0, top)
