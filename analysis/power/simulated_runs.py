"""Frames of simulated runs, with the columns that the claims read."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import RUN_COLUMNS, UNTRAINED_WITHIN_POINTS
from analysis.frame import Frame
from analysis.power.measured_values import NormalByFamily

IMAGES = 1500  # training images of digits
ERROR_STEP = 100 / IMAGES  # points; every training error is a multiple of it
CHANCE = 89.8  # percent; 153 of these images belong to the most frequent class
SEEDS = 3
LAST_ITERATION = 400


def draw_frame(networks: NormalByFamily, generator: np.random.Generator) -> Frame:
    """Draw the training errors of finished runs, and return their frame.

    An error corresponds to a whole number of images, between 0 and 100 %.
    """
    rows = []
    for family, depths in networks.items():
        for depth, normal in depths.items():
            for seed, error in enumerate(normal.draw(generator, SEEDS)):
                images = np.clip(round(error / ERROR_STEP), 0, IMAGES)
                rows.append(_build_run_row(family, depth, seed, float(images * ERROR_STEP)))
    curves = pd.DataFrame(columns=[*RUN_COLUMNS, "iteration", "training_error", "test/error"])
    return Frame(pd.DataFrame(rows), curves)


def add_probe(runs: pd.DataFrame, probe: str, rows: list[dict[str, Any]]) -> Frame:
    """Return the frame of these runs with the table of one probe.

    `rows` are those of the probe's table, each with a `run_id`.
    """
    network = runs[["run_id", "family", "depth", "seed"]]
    table = pd.DataFrame(rows).merge(network, on="run_id")
    return Frame(runs, pd.DataFrame(), probes={probe: table})


def run_id(family: str, depth: int, seed: int) -> str:
    """Return the id of a simulated run."""
    return f"{family}-d{depth}-s{seed}"


def _build_run_row(family: str, depth: int, seed: int, error: float) -> dict[str, Any]:
    return {
        "run_id": run_id(family, depth, seed),
        "family": family,
        "depth": depth,
        "seed": seed,
        "shortcut": "none" if family == "plain" else "A",
        "data": "digits",
        "state": "done",
        "chance": CHANCE,
        "error_step": ERROR_STEP,
        "iteration": LAST_ITERATION,
        "training_error": error,
        "train/clean_error": error,
        "untrained": error >= CHANCE - UNTRAINED_WITHIN_POINTS,
        "device": "cpu",
        "threads": "1",
        "torch": "2.14.1",
        "code": "current",
        "code_change": None,
        "published": None,
        "reason": None,
        "config.schedule.milestones": "[200, 300]",
        "config.schedule.iterations": LAST_ITERATION,
    }
