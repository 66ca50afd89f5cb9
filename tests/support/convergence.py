"""Runs whose errors reach half of chance at given times, and their explanation."""

from dataclasses import replace

import pandas as pd

from analysis.claim import Claim
from analysis.figures import style
from analysis.frame import Frame
from analysis.mechanisms import convergence
from analysis.mechanisms.base import Explanation
from tests.support.frames import make_frame

Times = dict[str, dict[int, list[float | None]]]  # family -> depth -> one time per seed

EVERY, LAST = 40, 400
# Iterations to half of chance error (45 %) by depth, one value per seed, or None if it is never
# reached.
SLOW = {20: [60, 70, 90], 32: [110, 130, 150], 44: [190, 210, 260], 56: [None] * 3, 110: [None] * 3}
FLAT = {depth: [130, 150, 170] for depth in (20, 32, 44, 56, 110)}


def runs_and_curves(times: Times, every: int = EVERY) -> Frame:
    """Return a frame whose runs' errors fall linearly from 90 % and pass 45 % at these times."""
    errors = {}
    for family, depths in times.items():
        errors[family] = {depth: [1.0] * len(seeds) for depth, seeds in depths.items()}
    frame = make_frame(errors)
    rows = []
    for run in frame.runs.to_dict("records"):
        half = times[run["family"]][run["depth"]][run["seed"]]
        for iteration in range(every, LAST + 1, every):
            error = 80.0 if half is None else max(0.0, 90 - 45 * iteration / half)
            identity = {key: run[key] for key in ("run_id", "family", "depth", "seed", "state")}
            rows.append(identity | {"iteration": iteration, "training_error": error})
    return replace(frame, curves=pd.DataFrame(rows), probes={"gradient_flow": pd.DataFrame()})


def select_claim(explanation: Explanation, name: str) -> Claim:
    """Return the claim whose name begins with this text."""
    return next(claim for claim in explanation.claims if claim.name.startswith(name))


def explain(**times: dict[int, list[float | None]]) -> Explanation | None:
    """Return the explanation of runs with these times, by family and depth."""
    style.apply()
    return convergence.build(runs_and_curves(times), 2.0)
