"""When runs reached an error: each time lies between two evaluations, or after the last one."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd

from analysis.columns import RUN_COLUMNS, TRAINING_ERROR
from degradation.metrics import ITERATION

THRESHOLDS = (Fraction(3, 4), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8))  # of chance error


def measure_times(runs: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """A row a run and threshold: it was reached in (after, by] iterations; `by` is infinite where it was not.

    A diverged run is at chance from then on: where it was not there before, it never was.
    """
    rows = []
    trained = curves[curves[ITERATION] > 0]
    places = trained.groupby("run_id").indices
    iterations, errors = (trained[name].to_numpy(float) for name in (ITERATION, TRAINING_ERROR))
    for run in runs[[*RUN_COLUMNS, "chance"]].to_dict("records"):
        if run["run_id"] not in places:
            continue  # failed before its first evaluation, and so not over
        known = places[run["run_id"]]
        known = known[~np.isnan(errors[known])]
        known = known[np.argsort(iterations[known], kind="stable")]
        error, ends = errors[known], [0.0, *iterations[known].tolist(), math.inf]
        for share in THRESHOLDS:
            there = np.flatnonzero(error <= float(share) * run["chance"])
            first = int(there[0]) if len(there) else len(known)
            row = {key: run[key] for key in RUN_COLUMNS} | {"threshold": float(share)}
            rows.append(row | {"after": ends[first], "by": ends[first + 1], "last": ends[-2]})
    return pd.DataFrame(rows)


def censored_at(times: pd.DataFrame, last: float) -> pd.DataFrame:
    """As if no run had been followed past this iteration."""
    late = times["by"] > last
    return times.assign(after=times["after"].clip(upper=last), by=times["by"].mask(late, math.inf))


def counts_of(times: pd.DataFrame) -> list[str]:
    """A line a depth, of one threshold: how many runs reached it, and when."""
    return [
        f"{depth} layers: {np.isfinite(part['by']).sum()} of {len(part)} runs reached it,"
        f" {_median(part)} iterations in the median; {np.isinf(part['by']).sum()} censored"
        for depth, part in times.groupby("depth")
    ]


def _median(part: pd.DataFrame) -> str:
    """Of the intervals, the middle one; of two, the later."""
    middle = part.sort_values("by").iloc[len(part) // 2]
    return (
        f"> {middle['last']:,.0f}"
        if math.isinf(middle["by"])
        else f"{middle['after']:,.0f} to {middle['by']:,.0f}"
    )


def summary(times: pd.DataFrame) -> pd.DataFrame:
    """A row a family and depth: for each share of chance error the runs that reached it and the median's interval."""
    rows = []
    for (family, depth), of_depth in times.groupby(["family", "depth"]):
        row = {"family": family, "depth": depth, "runs": of_depth["run_id"].nunique()}
        for share in THRESHOLDS:
            part = of_depth[of_depth["threshold"] == float(share)]
            row |= {
                f"reached {share}": int(np.isfinite(part["by"]).sum()),
                f"iterations to {share}": _median(part),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def list_evaluations(runs: pd.DataFrame, curves: pd.DataFrame) -> list[int]:
    """The iterations at which these runs were evaluated after training began, ascending."""
    of_runs = curves[curves["run_id"].isin(runs["run_id"]) & (curves[ITERATION] > 0)]
    return sorted(int(iteration) for iteration in of_runs[ITERATION].unique())


def read_milestones(runs: pd.DataFrame) -> list[int]:
    """After how many iterations the learning rate drops, where that is the same for all runs."""
    told = runs.get("config.schedule.milestones", pd.Series(dtype=object)).dropna()
    if told.nunique() != 1:
        return []
    return [int(one) for one in told.iloc[0].strip("[]").split(",") if one.strip()]
