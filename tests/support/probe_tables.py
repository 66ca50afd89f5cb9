"""Tables of probes made by hand, as `analysis.probes` reads them from records."""

import math
from math import comb

import numpy as np
import pandas as pd

# Gradient norms at the inputs of the blocks, first block first.
LEVEL = [1.0, 2.0, 1.0, 0.5]  # a factor of 4
EXPLODING = [1e5, 1e3, 10.0, 0.1]  # a factor of a million, towards the first block
SEED_OFFSETS = (-0.01, 0.0, 0.01)  # added to the mean, by seed

# Test errors of lesions, in percent. Intact networks have errors too: no error is its own increase.
INTACT = {"plain": 20.0, "residual": 2.0}
DELETED_ALONE = {
    "plain": {0: 80.0, 2: 90.0},
    "residual": {0: 4.0, 1: 60.0, 2: 6.0},  # block 1 changes the shape
}
DELETED_IN_PAIRS = [40.0, 60.0]  # two samples of two blocks

LANDSCAPE_POINTS = 5  # on a line, and on each side of a square


def network(family, depth, seed):
    """Return the columns that identify a run."""
    return {
        "run_id": f"{family}-d{depth}-s{seed}",
        "family": family,
        "depth": depth,
        "seed": seed,
    }


def identify(run):
    """Return the identifying columns of a row of `Frame.runs`."""
    return {key: run[key] for key in ("run_id", "family", "depth", "seed")}


def networks(depths_by_family, seeds):
    """Yield (value, identifying columns) for {family: {depth: value}} and each seed."""
    for family, depths in depths_by_family.items():
        for depth, value in depths.items():
            for seed in range(seeds):
                yield value, network(family, depth, seed)


def gradient_flow_table(norms, seeds=2, spread=1.0):
    """Return the probe's table for {family: {depth: {iteration: norms of the block inputs}}}.

    The norm of the first block is larger by `spread`**s for seed s.
    """
    time_points = {0: "initialisation", 400: "end"}
    rows = []
    for iterations, columns in networks(norms, seeds):
        for iteration, values in iterations.items():
            time_point = time_points.get(iteration, f"iteration {iteration}")
            for block, norm in enumerate(values):
                factor = spread ** columns["seed"] if block == 0 else 1.0
                row = {
                    "iteration": iteration,
                    "time_point": time_point,
                    "block": block,
                    "stage": 1,
                    "input_gradient": norm * factor,
                    "weight_gradient": math.nan if block == len(values) - 1 else norm,
                }
                rows.append(columns | row)
    return pd.DataFrame(rows)


def shattering_table(means, seeds=3):
    """Return the probe's table for {family: {depth: correlation at distance 0.1}}.

    At initialisation the correlation is 1, the mean, half of it and 0 at distances 0, 0.1, 0.2 and
    0.9. At the end it is 0.9 at every distance but 0.
    """
    rows = []
    for mean, columns in networks(means, seeds):
        start = mean + SEED_OFFSETS[columns["seed"]]
        for distance, correlation in ((0.0, 1.0), (0.1, start), (0.2, start / 2), (0.9, 0.0)):
            row = columns | {"distance": distance}
            at_end = 0.9 if distance else 1.0
            rows += [
                row | {"iteration": 0, "time_point": "initialisation", "correlation": correlation},
                row | {"iteration": 400, "time_point": "end", "correlation": at_end},
            ]
    return pd.DataFrame(rows)


def identity_table(depths=(8, 14), seeds=2, difference=1e-15, family="residual"):
    """Return the probe's table of networks with (depth - 2) / 2 blocks.

    Every gradient has length 5, with parts of length 3 and 4. The shortcut's share is 0.36 and
    rises by 0.1 from time point to time point. Block 1 changes the shape.
    """
    time_points = {0: "initialisation", 200: "iteration 200", 400: "end"}
    rows = []
    for depth, columns in networks({family: {depth: depth for depth in depths}}, seeds):
        for index, (iteration, time_point) in enumerate(time_points.items()):
            for block in range((depth - 2) // 2):
                row = {
                    "iteration": iteration,
                    "time_point": time_point,
                    "block": block,
                    "form": "block",
                    "shape_change": block == 1,
                    "gradient": 5.0,
                    "by_shortcut": 3.0,
                    "by_convolutions": 4.0,
                    "shortcut_share": 0.36 + 0.1 * index,
                    "relative_difference": difference,
                }
                rows.append(columns | row)
    return pd.DataFrame(rows)


def responses_table(means, seeds=3, kernel=3):
    """Return the probe's table for {family: {depth: mean response at the end}}.

    Each run has two layers with this kernel, whose responses differ by a tenth of the mean up and
    down, and one layer of 1x1 in between. At initialisation all responses are 1.
    """
    layers = [(kernel, 0.9), (1, 50.0), (kernel, 1.1)]
    rows = []
    for mean, columns in networks(means, seeds):
        at_end = mean + SEED_OFFSETS[columns["seed"]]
        for layer, (size, factor) in enumerate(layers, start=1):
            row = columns | {"layer": layer, "kernel": size}
            rows += [
                row | {"iteration": 0, "time_point": "initialisation", "deviation": 1.0},
                row | {"iteration": 400, "time_point": "end", "deviation": at_end * factor},
            ]
    return pd.DataFrame(rows)


def lesions_of_run(run, alone, shift):
    """Return the lesions of one run: intact, blocks deleted alone and in pairs, one or two swaps.

    Args:
        run: a row of `Frame.runs`.
        alone: {block: error with this block deleted}.
        shift: added to every error but that of the intact network.
    """
    lesions = [("none", 0, 0, None, INTACT[run["family"]])]
    lesions += [("delete", 1, 0, block, error + shift) for block, error in alone.items()]
    lesions += [
        ("delete", 2, repeat, None, error + shift) for repeat, error in enumerate(DELETED_IN_PAIRS)
    ]
    lesions += [("swap", number, 0, None, 10.0 * number + shift) for number in (1, 2)]
    table = pd.DataFrame(lesions, columns=["kind", "number", "repeat", "block", "error"])
    return table.assign(iteration=400, time_point="end", pictures=297, **identify(run))


def paths_of_run(run):
    """Return the paths of one run with three blocks: the gradient falls with the length."""
    norms = [4.0, 3.0, 2.0, 1.0]
    table = pd.DataFrame({"length": range(4), "sum_gradient": norms, "path_gradient": norms})
    table["paths"] = [float(comb(3, length)) for length in range(4)]
    time_points = (("initialisation", 0), ("end", 400))
    tables = [
        table.assign(time_point=time_point, iteration=iteration, **identify(run))
        for time_point, iteration in time_points
    ]
    return pd.concat(tables)


def landscape_of_run(run, loss, points=LANDSCAPE_POINTS, directions=0):
    """Return the landscape of one run: a line and a square of the loss (x, y) -> loss."""
    at = np.linspace(-1, 1, points)
    rows = [("line", x, 0.0) for x in at]
    rows += [("square", x, y) for y in at for x in at]
    table = pd.DataFrame(rows, columns=["shape", "x", "y"])
    table["loss"] = [loss(x, y) for _, x, y in rows]
    return table.assign(
        error=10.0,
        points=points,
        reach=1.0,
        pictures="100",
        directions=directions,
        **identify(run),
    )


def bowl(x, y):
    """A convex loss with its minimum of 0.1 in the middle."""
    return 0.1 + x**2 + y**2
