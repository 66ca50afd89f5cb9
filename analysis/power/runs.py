"""Frames of runs that no one trained: only what the claims read."""

from typing import Any

import numpy as np
import pandas as pd

from analysis.columns import RUN_COLUMNS, UNTRAINED_WITHIN_POINTS
from analysis.frame import Frame
from analysis.power.published import Nets

IMAGES = 1500  # digits' training images
STEP = 100 / IMAGES  # points: every training error is a multiple of it
CHANCE = 89.8  # digits: the commonest class has 153 of them
SEEDS = 3
LAST = 400  # iterations


def frame(nets: Nets, generator: np.random.Generator) -> Frame:
    """Finished runs whose training errors are drawn from these, as whole images, between 0 and 100 %."""
    rows = [
        _run(family, depth, seed, float(np.clip(round(error / STEP), 0, IMAGES) * STEP))
        for family, depths in nets.items()
        for depth, normal in depths.items()
        for seed, error in enumerate(normal.draw(generator, SEEDS))
    ]
    return Frame(
        pd.DataFrame(rows),
        pd.DataFrame(columns=[*RUN_COLUMNS, "iteration", "training_error", "test/error"]),
    )


def probed(runs: pd.DataFrame, probe: str, rows: list[dict[str, Any]]) -> Frame:
    """The frame of runs of which one probe was taken. `rows`: of its table, each with `run_id`."""
    table = pd.DataFrame(rows).merge(runs[["run_id", "family", "depth", "seed"]], on="run_id")
    return Frame(runs, pd.DataFrame(), probes={probe: table})


def run_id(family: str, depth: int, seed: int) -> str:
    return f"{family}-d{depth}-s{seed}"


def _run(family: str, depth: int, seed: int, error: float) -> dict[str, Any]:
    return {
        "run_id": run_id(family, depth, seed),
        "family": family,
        "depth": depth,
        "seed": seed,
        "shortcut": "none" if family == "plain" else "A",
        "data": "digits",
        "state": "done",
        "chance": CHANCE,
        "error_step": STEP,
        "iterations": LAST,
        "iteration": LAST,
        "training_error": error,
        "train/clean_error": error,
        "untrained": error >= CHANCE - UNTRAINED_WITHIN_POINTS,
        "device": "cpu",
        "threads": "1",
        "reason": None,
        "config.schedule.milestones": "[200, 300]",
        "config.schedule.iterations": LAST,
    }
