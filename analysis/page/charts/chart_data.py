"""The numbers behind the interactive charts: final values and curves, of networks and of runs.

A group is the runs of one family and depth in one condition. Its means and intervals are computed
here, so the page shows the same numbers as summary.csv.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.columns import CHANCE, TRAINING_ERROR, TRAINING_ERRORS
from analysis.conditions import Condition, list_conditions
from analysis.figures.layout import list_depths, list_families
from analysis.figures.style import FAMILY_STYLES
from analysis.finished_runs import select_finished
from analysis.frame import Frame
from analysis.lr_drops import find_common_milestones
from analysis.page.charts.chart_values import DECIMALS, describe_groups, list_run_values
from analysis.run_row import CURVE_METRICS
from degradation.metrics import ITERATION, METRICS, PERCENT, is_percentage
from degradation.records.schema import State

# Limits on the numbers in a page: one number takes about six bytes.
MAX_GROUP_NUMBERS, MAX_RUN_NUMBERS = 400_000, 200_000
MAX_CHOICES = 50  # entries of a list to choose from
MAX_EVALUATIONS, MIN_EVALUATIONS = 120, 10  # points of a curve
NUMBERS_PER_POINT = 3  # mean, low and high


@dataclass(frozen=True)
class _Limits:
    """What fits into a page.

    Attributes:
        conditions: how many of the conditions are shown.
        evaluations: the largest number of points of a curve.
        has_runs: whether each run is shown, or only the means of groups.
    """

    conditions: int
    evaluations: int
    has_runs: bool


def collect_chart_data(frame: Frame) -> dict[str, Any]:
    """Return what the charts show, as JSON without NaN, bounded in size.

    quantities: name, label, unit and axis title of each metric; the first is the training error
        that the report is about.
    families, depths, seeds: in the order in which they are shown.
    looks: the line style and the marker of each family, as the figures have them.
    conditions: label, chance (%), learning-rate drops and iterations, and the groups and runs.
        In a group, `final` has for each quantity the mean, the 95 % interval, the lowest and the
        highest run; in a run, one number. `curves` has for each quantity the means, lows and highs
        of a group, or the values of a run, at the condition's iterations. A group whose runs repeat
        a seed has neither.
    has_runs: whether there are runs; if there are too many, `runs` is empty.
    omitted_conditions: the number of conditions that are not shown.
    """
    conditions = list_conditions(frame)
    metrics = _list_metrics(frame)
    limits = _find_limits(conditions, len(metrics))
    shown = conditions[: limits.conditions]
    families = list_families(frame.runs)
    return {
        "quantities": [_describe_quantity(name) for name in metrics],
        "families": families,
        "looks": {family: _describe_look(family) for family in families},
        "depths": list_depths(frame.runs),
        "seeds": sorted(int(seed) for seed in frame.runs["seed"].unique()),
        "conditions": [
            _describe_condition(condition, metrics, frame.error_kind, limits) for condition in shown
        ],
        "has_runs": limits.has_runs,
        "omitted_conditions": len(conditions) - len(shown),
    }


def _list_metrics(frame: Frame) -> list[str]:
    """Return the metrics that some finished run has, the report's training error first."""
    headline = TRAINING_ERRORS[frame.error_kind]
    others = [name for name in CURVE_METRICS if name != headline]
    known = [name for name in others if name in frame.runs and frame.runs[name].notna().any()]
    return [headline, *known]


def _describe_quantity(name: str) -> dict[str, str]:
    metric = METRICS[name]
    unit = "%" if metric.unit == PERCENT else metric.unit
    return {"name": name, "label": metric.label, "unit": unit}


def _describe_look(family: str) -> dict[str, str]:
    return {name: FAMILY_STYLES[family][name] for name in ("linestyle", "marker")}


def _find_limits(conditions: Sequence[Condition], metrics: int) -> _Limits:
    """Return what fits into a page with so many metrics."""
    groups = [_count_groups(condition.frame.runs) for condition in conditions]
    smallest = np.cumsum(groups) * metrics * NUMBERS_PER_POINT * MIN_EVALUATIONS
    fitting = int((smallest <= MAX_GROUP_NUMBERS).sum())
    shown = min(max(fitting, 1), MAX_CHOICES)
    numbers_per_evaluation = max(sum(groups[:shown]) * metrics * NUMBERS_PER_POINT, 1)
    points = MAX_GROUP_NUMBERS // numbers_per_evaluation
    evaluations = min(max(points, MIN_EVALUATIONS), MAX_EVALUATIONS)
    runs = sum(len(condition.frame.runs) for condition in conditions[:shown])
    longest = max(_count_evaluations(condition.frame) for condition in conditions[:shown])
    has_runs = runs * metrics * min(longest, evaluations) <= MAX_RUN_NUMBERS
    return _Limits(shown, evaluations, has_runs)


def _count_groups(runs: pd.DataFrame) -> int:
    return len(runs[["family", "depth"]].drop_duplicates())


def _count_evaluations(frame: Frame) -> int:
    return int(frame.curves[ITERATION].nunique())


def _describe_condition(
    condition: Condition, metrics: Sequence[str], error_kind: str, limits: _Limits
) -> dict[str, Any]:
    """Return one condition: what its charts need, its groups and its runs."""
    frame = condition.frame
    finished = select_finished(frame.runs)
    final = _read_final_values(finished, metrics, error_kind)
    headline = TRAINING_ERRORS[error_kind]
    curves = frame.curves.assign(**{headline: frame.curves[TRAINING_ERROR]})
    curves = curves[curves["run_id"].isin(finished["run_id"])]
    iterations = _thin(np.unique(curves[ITERATION]), limits.evaluations)
    curves = curves[curves[ITERATION].isin(iterations)].reindex(
        columns=["run_id", "family", "depth", ITERATION, *metrics]
    )
    chance = frame.runs[CHANCE].max()
    return {
        "label": condition.label,
        "chance": None if pd.isna(chance) else round(float(chance), DECIMALS),
        "drops": find_common_milestones(frame.runs),
        "iterations": iterations.tolist(),
        "groups": describe_groups(final, curves, iterations, metrics, headline),
        "runs": list_run_values(final, curves, iterations, metrics) if limits.has_runs else [],
    }


def _read_final_values(
    finished: pd.DataFrame, metrics: Sequence[str], error_kind: str
) -> pd.DataFrame:
    """Return the finished runs with the metrics of the last iteration.

    Every error of a diverged run is at chance, as its training and test errors are.
    """
    final = finished.copy()
    final[TRAINING_ERRORS[error_kind]] = finished[TRAINING_ERROR]
    has_diverged = final["state"] == State.DIVERGED
    for name in metrics:
        if name not in final:
            final[name] = np.nan
        if is_percentage(name):
            final[name] = final[name].astype(float).mask(has_diverged, final[CHANCE])
    return final


def _thin(iterations: NDArray[np.int_], largest: int) -> NDArray[np.int_]:
    """Return at most so many iterations, evenly spaced, with the first and the last."""
    last = len(iterations) - 1
    if last < largest:
        return iterations
    return np.array([iterations[round(step)] for step in np.linspace(0, last, largest)])
