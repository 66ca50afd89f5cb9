"""The text of evidence and notes: numbers with their bounds, runs, and caveats."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from analysis.claim import RunsByDepth, Side, difference_by_seed, is_no_better_than_chance
from analysis.code_notes import describe_outdated_runs
from analysis.columns import ENDED_AT, TRAINING_ERROR
from analysis.difference_line import DifferenceLine, format_points
from analysis.estimates import CONFIDENCE, Difference, Estimate
from analysis.multiple_testing import bonferroni_level
from degradation.records.schema import State


def format_bound(
    difference: Estimate,
    side: Side,
    bound_count: int = 1,
    show: Callable[[float], str] = format_points,
    unit: str = " points",
) -> str:
    """Format a difference with one bound: `+3.00 points, 95 % lower bound +0.87`.

    Args:
        difference: the estimate.
        side: which bound to show.
        bound_count: the number of bounds that hold jointly with 95 % confidence (`Decision`).
        show: formats the mean and the bound.
        unit: follows the mean.
    """
    level = bonferroni_level(bound_count)
    bound = difference.lower_at(level) if side == "lower" else difference.upper_at(level)
    correction = f" (Holm, {bound_count} bounds)" if bound_count > 1 else ""
    name = f"{100 * CONFIDENCE:.0f} % {side} bound{correction}"
    return f"{show(difference.mean)}{unit}, {name} {show(bound)}"


def compare_groups(
    label: str, difference: Estimate, a: pd.DataFrame, b: pd.DataFrame, note: str = ""
) -> DifferenceLine:
    """Return the line of evidence about the difference of runs a and b.

    If both have the same seeds, it has the bounds of the difference paired by seed too.
    """
    paired = difference_by_seed(a, b) if isinstance(difference, Difference) else None
    return DifferenceLine(label, difference, paired, note)


def describe_end(run: Mapping[Any, Any]) -> str:
    """Return when a run diverged or failed, such as `at iteration 7`, or empty text if unknown."""
    iteration = run.get(ENDED_AT)
    if run["state"] not in (State.DIVERGED, State.FAILED) or pd.isna(iteration):
        return ""
    return f"at iteration {iteration:,.0f}"


def describe_unfinished_run(run: Mapping[Any, Any]) -> str:
    """Return an unfinished run's id, with the iteration and the reason for its failure if known."""
    reason = run.get("reason") if run["state"] == State.FAILED else None
    details = [text for text in (describe_end(run), reason) if isinstance(text, str) and text]
    return f"{run['run_id']} ({': '.join(details)})" if details else str(run["run_id"])


def describe_diverged(runs: pd.DataFrame, network: str) -> list[str]:
    """Return a note if some of these runs diverged: how many, when, and how they count."""
    diverged = runs[runs["state"] == State.DIVERGED].to_dict("records")
    if not diverged:
        return []
    ends = [end for end in map(describe_end, diverged) if end]
    when = f" ({', '.join(ends)})" if ends else ""
    counts = f"{len(diverged)} of {len(runs)} runs of {network} diverged{when}"
    return [f"{counts}; a diverged run counts as chance error"]


def describe_caveats(runs: pd.DataFrame, *families: RunsByDepth) -> list[str]:
    """Return notes on what limits a comparison of these runs.

    The notes name outdated runs, and untrained networks and diverged runs of the given families.
    They also say whether the runs used different device types, GPUs, numbers of CPU threads or
    versions of PyTorch.
    """
    notes = describe_outdated_runs(runs)
    for groups in families:
        notes += describe_networks(groups)
    devices = list_device_types(runs)
    if len(devices) > 1:
        notes.append(f"the runs were trained on different types of device: {', '.join(devices)}")
    names = sorted(_list_parts(runs["device"]).unique())
    if len(devices) == 1 and len(names) > 1:
        notes.append(
            "the runs were trained on different devices, which may change rounding: "
            + ", ".join(names)
        )
    on_cpu = _list_parts(runs.loc[runs["device"] == "cpu", "threads"])
    threads = sorted(on_cpu.unique(), key=float)
    if len(threads) > 1:
        notes.append(
            "the runs were trained with different numbers of CPU threads, which changes rounding: "
            + ", ".join(threads)
        )
    torch_versions = sorted(_list_parts(runs["torch"]).unique())
    if len(torch_versions) > 1:
        notes.append(
            "the runs were trained by different versions of PyTorch, which may change rounding: "
            + ", ".join(torch_versions)
        )
    return notes


def describe_networks(groups: RunsByDepth) -> list[str]:
    """Return notes on the networks of one family that are untrained or have diverged runs."""
    notes = []
    for depth, group in groups.items():
        network = f"{group['family'].iloc[0]}-{depth}"
        if is_no_better_than_chance(group):
            error = f"{group[TRAINING_ERROR].mean():.1f} %"
            chance = f"chance is {group['chance'].mean():.1f} %"
            notes.append(f"{network} is no better than chance: {error} training error, {chance}")
        notes += describe_diverged(group, network)
    return notes


def list_device_types(runs: pd.DataFrame) -> list[str]:
    """Return the device types that trained these runs, sorted: such as `cpu`, `cuda`."""
    return sorted(_list_parts(runs["device"]).str.split(":").str[0].unique())


def _list_parts(column: pd.Series) -> pd.Series:
    """Return the values of all attempts; those of a run that changed them are joined in its row."""
    return column.dropna().astype(str).str.split(" + ", regex=False).explode()
