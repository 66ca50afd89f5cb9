"""What does the loss look like around a trained network? (Li et al. 2018, section 4.)

Two random directions are a small sample of very many, so this is an illustration without a claim.
"""

import math
from collections.abc import Hashable
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd

from analysis.claim import Claim
from analysis.figures import landscape as figure
from analysis.figures.matplotlib_import import Figure
from analysis.frame import Frame
from analysis.mechanism_texts import landscape as texts
from analysis.mechanisms.base import Explanation

POSITION = 8
PROBE = "landscape"
SPECIFICATION = ["points", "reach", "pictures", "directions"]
DIMENSIONS = {"line": 1, "square": 2}
SHAPES_IN_TEXT = ("square", "line")  # the shape that the text is about: the first measured
WINDOW = 5  # points per side, within which a smooth surface is fitted
# In decades (0.1 is about a quarter of the loss); a point farther away is off the surface.
MAX_DEVIATION = 0.1
SCALE_SENTENCE = (
    "All panels share one scale{clipped}. The axes are in multiples of the weights' own norm, with "
    "the network at the centre."
)


def build(frame: Frame, margin: float) -> Explanation | None:
    """Show the loss around the networks, or return None if the runs lack the probe."""
    table = frame.probes.get(PROBE)
    if table is None:
        return None
    table = table.assign(loss=pd.to_numeric(table["loss"], errors="coerce").astype(float))
    line, line_sentences = select_specification(table, "line")
    square, square_sentences = select_specification(table, "square")
    figures: dict[str, tuple[Figure, str]] = {}
    shown_run_ids: dict[str, tuple[str, ...]] = {}
    if len(square):
        drawn_points = _select_first_seeds(square)
        limits = figure.compute_scale_limits(drawn_points)
        scale = _describe_scale(drawn_points, square, limits)
        contours = figure.plot_contours(drawn_points, limits)
        surfaces = figure.plot_surfaces(drawn_points, limits)
        figures["landscape"] = (contours, f"{figure.CONTOURS_CAPTION} {scale}")
        figures["landscape-surfaces"] = (surfaces, f"{figure.SURFACES_CAPTION} {scale}")
        shown_run_ids = dict.fromkeys(figures, tuple(drawn_points["run_id"].unique()))
    if len(line):
        figures["landscape-line"] = (figure.plot_lines(line), figure.LINES_CAPTION)
        shown_run_ids["landscape-line"] = tuple(line["run_id"].unique())
    details = " ".join([texts.DETAILS, *line_sentences, *square_sentences])
    claims, summary = judge(frame, margin), summarise(line, square)
    introduction = texts.write_introduction(_find_roughest(summary))
    return Explanation(
        "landscape",
        texts.TITLE,
        introduction,
        claims,
        summary,
        figures,
        details,
        shown_run_ids=shown_run_ids,
    )


def _find_roughest(summary: pd.DataFrame) -> dict[str, float]:
    """Return, by family, the largest fraction of a network's points off a smooth surface.

    The points are those on the squares, or on the lines if no square was measured.
    `summary`: see `summarise`.
    """
    for shape in SHAPES_IN_TEXT:
        column = f"{shape}_off_smooth_share"
        if column in summary and summary[column].notna().any():
            shares = summary.groupby("family")[column].max()
            return {str(family): float(share) for family, share in shares.items()}
    return {}


def judge(_frame: Frame, _margin: float) -> list[Claim]:
    """Return an empty list: the landscape has no claim."""
    return []


def select_specification(table: pd.DataFrame, shape: str) -> tuple[pd.DataFrame, list[str]]:
    """Select the points of one specification, so that all networks are measured in the same way.

    A specification is the number of points, their reach, the number of images and the random
    directions. The one that is complete for the most networks is selected; among
    several such, the one with the most points.

    Args:
        table: rows of the probe `landscape`.
        shape: line or square.

    Returns:
        The points of the networks whose grid is complete, and sentences on what is not shown.
    """
    keys = ["run_id", *SPECIFICATION]
    points = table[table["shape"] == shape].drop_duplicates([*keys, "x", "y"])
    if points.empty:
        return points, []
    grids = points.groupby(keys).size().rename("measured").reset_index()
    grids["needed"] = grids["points"] ** DIMENSIONS[shape]
    grids["complete"] = grids["measured"] == grids["needed"]
    counts = grids.groupby(SPECIFICATION)["complete"].sum()
    selection = max(counts.index, key=lambda specification: (counts[specification], *specification))
    grids = grids[(grids[SPECIFICATION] == list(selection)).all(axis=1)]
    incomplete = grids[~grids["complete"]].to_dict("records")
    sentences = [_describe_incomplete(shape, grid) for grid in incomplete]
    if len(counts) > 1:
        description = _describe_specification(selection)
        sentences.append(
            f"{len(counts)} specifications of the {shape} were measured; shown: {description}."
        )
    is_selected = (points[SPECIFICATION] == list(selection)).all(axis=1)
    is_complete = points["run_id"].isin(grids.loc[grids["complete"], "run_id"])
    return points[is_selected & is_complete], sentences


def _describe_incomplete(shape: str, grid: dict[Hashable, Any]) -> str:
    counts = f"only {grid['measured']} of its {grid['needed']} points were measured"
    return f"Not shown: the {shape} of {grid['run_id']}, because {counts}."


def _describe_specification(specification: Any) -> str:
    points, reach, images, directions = specification
    return f"{points} points per side, reach {reach:g}, {images} images, directions {directions}"


def _select_first_seeds(square: pd.DataFrame) -> pd.DataFrame:
    """Return the points of one run of the first seed of each family and depth."""
    ordered = square.sort_values(["seed", "run_id"], kind="stable")
    first = ordered.groupby(["family", "depth"])["run_id"].transform("first")
    return square[square["run_id"] == first.reindex(square.index)]


def _describe_scale(drawn_points: pd.DataFrame, square: pd.DataFrame, limits: figure.Limits) -> str:
    """Describe the scale, what it cuts off, and which networks are drawn."""
    text = SCALE_SENTENCE.format(clipped=_describe_clipped(drawn_points, limits))
    if len(drawn_points) == len(square):
        return text
    run_ids = drawn_points.sort_values(["family", "depth"])["run_id"].unique()
    return f"{text} Of several seeds, the first is drawn: {', '.join(run_ids)}."


def _describe_clipped(points: pd.DataFrame, limits: figure.Limits) -> str:
    """Describe, in brackets, the points that the scale does not show, or return empty text."""
    loss = points["loss"].dropna()
    above, below = int((loss > 10 ** limits[1]).sum()), int((loss < 10 ** limits[0]).sum())
    not_finite = int(points["loss"].isna().sum())
    parts = []
    if above:
        parts.append(f"{above} of {len(points)} points above it, drawn at its end")
    if below:
        parts.append(f"{below} of {len(points)} points below it, drawn at its end")
    if not_finite:
        parts.append(f"{not_finite} of {len(points)} points not finite, drawn white")
    return f" ({'; '.join(parts)})" if parts else ""


def measure_roughness(loss: np.ndarray) -> tuple[float, float]:
    """Measure how far log10 of the loss is from a smooth surface.

    Each point is compared with the least-squares quadratic of its neighbours in a window of
    WINDOW points per side, without the point itself. Points at the border have no such window.

    Args:
        loss: nats, on a line (points) or a square (points x points), or NaN if not finite.

    Returns:
        The mean distance in decades, and the fraction of points that are more than MAX_DEVIATION
        away. Windows with a NaN are excluded; both are NaN if no window remains.
    """
    if min(loss.shape) < WINDOW:
        return math.nan, math.nan
    height = np.log10(np.maximum(loss, figure.SMALLEST))  # NaN stays NaN
    windows = np.lib.stride_tricks.sliding_window_view(height, (WINDOW,) * loss.ndim)
    windows = windows.reshape(-1, WINDOW**loss.ndim)
    centre = windows.shape[1] // 2
    predictions = np.delete(windows, centre, axis=1) @ _neighbour_weights(loss.ndim)
    distances = np.abs(windows[:, centre] - predictions)
    known_distances = distances[np.isfinite(distances)]
    if not len(known_distances):
        return math.nan, math.nan
    return float(known_distances.mean()), float((known_distances > MAX_DEVIATION).mean())


@cache
def _neighbour_weights(dimensions: int) -> np.ndarray:
    """Return the weights of a point's neighbours in the quadratic's value at that point.

    The quadratic is fitted to the neighbours by least squares. float (WINDOW^dimensions - 1,)
    """
    side = np.arange(WINDOW) - WINDOW // 2
    grids = np.meshgrid(*[side] * dimensions, indexing="ij")
    offsets = np.stack(grids, axis=-1).reshape(-1, dimensions)
    neighbours = np.delete(offsets, len(offsets) // 2, axis=0)
    terms = [np.ones(len(neighbours)), *neighbours.T]
    for i, j in combinations_with_replacement(range(dimensions), 2):
        terms.append(neighbours[:, i] * neighbours[:, j])
    # The first coefficient is the constant, which is the value at the centre.
    weights: np.ndarray = np.linalg.pinv(np.stack(terms, axis=1))[0]
    return weights


def summarise(line: pd.DataFrame, square: pd.DataFrame) -> pd.DataFrame:
    """Summarise the loss around each network.

    `line`, `square`: points of `select_specification`. Returns one row per network: the loss (nats)
    and training error (percent) at the network; on the square the mean loss halfway to the border,
    the largest loss and the number of points that are not finite; and the roughness of both shapes.
    """
    rows: list[dict[str, Any]] = []
    keys = ["family", "depth", "seed", "run_id"]
    for identity, points in pd.concat([line, square]).groupby(keys, sort=True):
        row: dict[str, Any] = dict(zip(keys[:3], identity, strict=False))
        centre = points[(points["x"] == 0) & (points["y"] == 0)]
        row |= {"loss": centre["loss"].iloc[0], "error": centre["error"].iloc[0]}
        on_square = points[points["shape"] == "square"]
        on_line = points[points["shape"] == "line"]
        if len(on_square):
            row |= _summarise_square(on_square)
        if len(on_line):
            row |= _summarise_roughness("line", on_line.sort_values("x")["loss"].to_numpy(float))
        rows.append(row)
    return pd.DataFrame(rows)


def _summarise_square(points: pd.DataFrame) -> dict[str, Any]:
    grid = figure.pivot_square(points)
    step, reach = float(np.diff(grid.columns)[0]), float(grid.columns.max())
    distance = (points["x"] ** 2 + points["y"] ** 2) ** 0.5
    is_halfway = (distance - reach / 2).abs() <= step / 2
    summary = {
        "loss_halfway": points.loc[is_halfway, "loss"].mean(),
        "loss_largest": points["loss"].max(),
        "not_finite": int(points["loss"].isna().sum()),
    }
    return summary | _summarise_roughness("square", grid.to_numpy(float))


def _summarise_roughness(shape: str, loss: np.ndarray) -> dict[str, float]:
    decades, share = measure_roughness(loss)
    return {f"{shape}_off_smooth_decades": decades, f"{shape}_off_smooth_share": share}
