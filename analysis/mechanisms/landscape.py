"""What does the loss look like around the trained net? (Li et al. 2018, section 4). A picture, so no claim."""

import math
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures import landscape as figure
from analysis.frame import Frame
from analysis.mechanisms.base import Explanation

SPECIFICATION = ["points", "reach", "pictures", "directions"]
COUNTS = {"line": 1, "square": 2}  # dimensions
WINDOW = 5  # points a side, within which a smooth surface is fitted
OFF = 0.1  # decades (a quarter of the loss): a point further from the smooth surface is off it
TITLE = "what does the loss look like around the trained net?"
INTRODUCTION = (
    "The weights of a trained net are one point in a space of very many dimensions. From there two random directions "
    "are drawn, the net is moved along both, and at each place its loss on the training pictures is measured. A net "
    "with large weights hardly notices a step that ruins a net with small ones, so equal steps cannot be compared "
    "between nets. Therefore each filter of a random direction is scaled to the length of the net's own filter "
    "(filter normalisation, Li et al. 2018). One unit on the axes is then as far as the weights are from zero, in "
    "every net. Biases and the parameters of batch normalisation stay as they are, and it goes on with the moving "
    "averages of the trained net, as in that work. A smooth bowl, whose contours are rings, means that the slope "
    "points to the middle from wherever one starts, which is easy for gradient descent. A ragged surface, with "
    "islands, ridges and sudden walls, means that the slope at one place tells little about the next. How ragged it "
    "is, the table says: at each point the quadratic surface that fits the 24 points around it best (on a line, the 4 "
    "beside it) is compared with the point itself, both as log10 of the loss, since the loss spans many decades and "
    "its largest values would hide all else. A bowl is near its fits nearly everywhere, except perhaps beside the net, "
    "where its bottom is sharp. Two directions of very many are a small sample: what looks like a bowl here can be "
    "ragged in others, so this is a picture and not a test."
)
SCALE = "All panels have one scale{clipped}. The axes are in units of the weights' own norm, the net is in the middle."
CAPTION = "The loss (log10 of nats) around the trained nets: a row a family, a column a depth, the cross is the net. "
CAPTION_SURFACES = (
    "The same as surfaces, all seen from one side. Height and colour are log10 of the loss, so one unit up is ten "
    "times the loss. "
)
CAPTION_LINE = (
    "Loss (logarithmic) and training error along the first direction, all nets that were measured: a row a family, a "
    "line style a depth, a line a net. The trained net is at 0."
)


def build(frame: Frame, _margin: float) -> Explanation | None:
    table = frame.probes.get("landscape")
    if table is None:
        return None
    table = table.assign(loss=pd.to_numeric(table["loss"], errors="coerce").astype(float))
    told: list[str] = []
    line, square = (chosen(table, shape, told) for shape in COUNTS)
    figures = {}
    if len(square):
        seeds = square.groupby(["family", "depth"])["seed"].transform("min")
        drawn = square[square["seed"] == seeds]
        limits = figure.scale_limits(drawn)
        caption = SCALE.format(clipped=_clipped(drawn, limits))
        names = ", ".join(sorted(map(str, drawn["run_id"].unique())))
        caption += f" Shown: {names}." if len(drawn) < len(square) else ""
        figures["landscape"] = (figure.plot_contours(drawn, limits), CAPTION + caption)
        figures["landscape-surfaces"] = (
            figure.plot_surfaces(drawn, limits),
            CAPTION_SURFACES + caption,
        )
    if len(line):
        figures["landscape-line"] = (figure.plot_lines(line), CAPTION_LINE)
    introduction = " ".join([INTRODUCTION, *told])
    return Explanation("landscape", TITLE, introduction, [], summary(line, square), figures)


def chosen(table: pd.DataFrame, shape: str, told: list[str]) -> pd.DataFrame:
    """The points of the specification that is complete for most nets, of those the one with most points.

    Nets whose grid is not complete are left out; `told` gets a sentence for them.
    """
    keys = ["run_id", *SPECIFICATION]
    part = table[table["shape"] == shape].drop_duplicates([*keys, "x", "y"])
    if part.empty:
        return part
    there = part.groupby(keys).size().rename("there").reset_index()
    there["complete"] = there["there"] == there["points"] ** COUNTS[shape]
    complete = there.groupby(SPECIFICATION)["complete"].sum()
    best = max(complete.index, key=lambda one: (complete[one], *one))
    asked = there.set_index(SPECIFICATION).loc[[best]]
    for run_id, count in asked.loc[~asked["complete"], ["run_id", "there"]].to_numpy().tolist():
        told.append(
            f"Not shown: the {shape} of {run_id}, of which {count} of {best[0] ** COUNTS[shape]} points are there."
        )
    if len(complete) > 1:
        told.append(
            f"{len(complete)} specifications of the {shape} were measured; shown: {_words(best)}."
        )
    same = (part[SPECIFICATION] == list(best)).all(axis=1)
    return part[same & part["run_id"].isin(asked.loc[asked["complete"], "run_id"])]


def _words(specification: Any) -> str:
    points, reach, pictures, directions = specification
    return f"{points} points a side, reach {reach:g}, {pictures} pictures, directions {directions}"


def _clipped(drawn: pd.DataFrame, limits: tuple[float, float]) -> str:
    """What the scale does not show, in words: values beyond it have the colour of its end."""
    finite = drawn["loss"].dropna()
    outside = [
        (np.sum(finite > 10 ** limits[1]), "above"),
        (np.sum(finite < 10 ** limits[0]), "below"),
    ]
    words = [
        f"{number} of {len(drawn)} points are {side} it and drawn at its end"
        for number, side in outside
        if number
    ]
    if missing := int(drawn["loss"].isna().sum()):
        words.append(f"{missing} are not finite and left white")
    return f" ({', '.join(words)})" if words else ""


def roughness(loss: np.ndarray) -> tuple[float, float]:
    """How far log10 of the loss is from a smooth surface, over the points of a line or square with neighbours around.

    At each point from the quadratic that fits its neighbours best, in a window of WINDOW points a side, without the
    point itself. Returns the mean distance in decades, and the share of the points that are more than OFF away. Windows
    with a loss that is not finite are not counted; NaN where no window is left.
    """
    if min(loss.shape) < WINDOW:
        return math.nan, math.nan
    height = np.log10(np.maximum(loss, figure.SMALLEST))  # NaN stays
    windows = np.lib.stride_tricks.sliding_window_view(height, (WINDOW,) * loss.ndim)
    of_point = windows.reshape(-1, WINDOW**loss.ndim)
    middle = of_point.shape[1] // 2
    fitted = np.delete(of_point, middle, axis=1) @ _smoothing(loss.ndim)
    distances = np.abs(of_point[:, middle] - fitted)
    known = distances[np.isfinite(distances)]
    if not len(known):
        return math.nan, math.nan
    return float(known.mean()), float((known > OFF).mean())


@cache
def _smoothing(dimensions: int) -> np.ndarray:
    """The weights of a point's neighbours in the value, at the point, of their least-squares quadratic."""
    side = np.arange(WINDOW) - WINDOW // 2
    places = np.stack(np.meshgrid(*[side] * dimensions, indexing="ij"), axis=-1).reshape(
        -1, dimensions
    )
    neighbours = np.delete(places, len(places) // 2, axis=0)
    powers = [(i, j) for i in range(dimensions) for j in range(i, dimensions)]
    terms = [
        np.ones(len(neighbours)),
        *neighbours.T,
        *(neighbours[:, i] * neighbours[:, j] for i, j in powers),
    ]
    weights: np.ndarray = np.linalg.pinv(np.stack(terms, axis=1))[
        0
    ]  # the constant: the value in the middle
    return weights


def _rough(shape: str, loss: np.ndarray) -> dict[str, float]:
    decades, share = roughness(loss)
    return {f"{shape}_off_smooth_decades": decades, f"{shape}_off_smooth_share": share}


def summary(line: pd.DataFrame, square: pd.DataFrame) -> pd.DataFrame:
    """A row a net. `halfway`: the mean over the points of the square at about half its reach from the net."""
    rows: list[dict[str, Any]] = []
    keys = ["family", "depth", "seed", "run_id"]
    for who, of_run in pd.concat([line, square]).groupby(keys, sort=True):
        row: dict[str, Any] = dict(zip(keys[:3], who, strict=False))
        at = of_run[(of_run["x"] == 0) & (of_run["y"] == 0)]
        row |= {"loss": at["loss"].iloc[0], "error": at["error"].iloc[0]}
        on_square, on_line = (of_run[of_run["shape"] == shape] for shape in ("square", "line"))
        if len(on_square):
            grid = figure.square_grid(on_square)
            step, reach = float(np.diff(grid.columns)[0]), float(grid.columns.max())
            distance = (on_square["x"] ** 2 + on_square["y"] ** 2) ** 0.5
            row["loss_halfway"] = on_square.loc[
                (distance - reach / 2).abs() <= step / 2, "loss"
            ].mean()
            row |= {
                "loss_largest": on_square["loss"].max(),
                "not_finite": int(on_square["loss"].isna().sum()),
            }
            row |= _rough("square", grid.to_numpy(float))
        if len(on_line):
            row |= _rough("line", on_line.sort_values("x")["loss"].to_numpy(float))
        rows.append(row)
    return pd.DataFrame(rows)
