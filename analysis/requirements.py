"""What a claim requires of the runs: depths, finished runs, and seeds.

Every claim calls `missing_requirements` first. The reasons that it returns are the evidence of a
claim that is not tested.
"""

from collections.abc import Mapping

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.claim import MIN_SEEDS, RunsByDepth
from analysis.evidence import describe_unfinished_run
from analysis.finished_runs import is_finished, select_finished
from analysis.gap import Gap, Reason
from degradation.records.schema import State


def missing_requirements(
    families: Mapping[str, RunsByDepth], depths: int, *, shared: bool = False, kind: str = ""
) -> list[Reason]:
    """Return why a claim about these runs cannot be tested, or an empty list if it can.

    A claim needs enough depths, finished runs only, each seed once, and two seeds per depth.

    Args:
        families: the runs of each family, by depth. These are rows of the frame's table of runs, or
            rows of a probe's table, which has no column `state` and may have several rows per run.
        depths: the number of depths that the claim needs of each family.
        shared: whether these depths must be the same in all families.
        kind: an adjective for the networks in the messages, such as `probed`.
    """
    networks = f"{kind} {{}} networks".lstrip()
    reasons: list[Reason] = []
    if shared:
        common = set.intersection(*(set(groups) for groups in families.values()))
        reasons += _missing_depths(networks.format(" and ".join(families)), len(common), depths)
    for family, groups in families.items():
        runs_by_depth = {depth: _one_row_per_run(rows) for depth, rows in groups.items()}
        for depth, runs in runs_by_depth.items():
            reasons += repeated_seeds(runs, f"{family}-{depth}")
        if not shared:
            reasons += _missing_depths(networks.format(family), len(groups), depths)
        if groups:
            reasons += unfinished_runs(family, pd.concat(runs_by_depth.values()))
        reasons += _missing_seeds(family, runs_by_depth)
    return reasons


def _missing_depths(networks: str, present: int, needed: int) -> list[Reason]:
    if present >= needed:
        return []
    plural = "s" if needed > 1 else ""
    text = f"needs {needed} depth{plural} of {networks}, has {present}"
    return [Gap(text, is_family_absent=present == 0)]


def unfinished_runs(family: str, runs: pd.DataFrame) -> list[Reason]:
    """Return a reason for each state of the family's runs that have not finished.

    `runs`: rows of `Frame.runs`.
    """
    reasons: list[Reason] = []
    for state, unfinished in runs[~is_finished(runs)].groupby("state"):
        names = [describe_unfinished_run(run) for run in unfinished.to_dict("records")]
        counts = count_runs(len(names), len(runs), str(state), f"{family} runs")
        reasons.append(Gap(counts, abbreviate(names)))
    return reasons


def count_runs(count: int, total: int, state: str, runs: str = "runs") -> str:
    """Return how many runs are in a state, such as `1 of 9 plain runs has failed`."""
    singular, plural = ("has", "have") if state == State.FAILED else ("is", "are")
    verb = singular if count == 1 else plural
    return f"{count} of {total} {runs} {verb} {state}"


def _missing_seeds(family: str, groups: RunsByDepth) -> list[Reason]:
    depths = [str(depth) for depth, runs in groups.items() if runs["seed"].nunique() < MIN_SEEDS]
    if not depths:
        return []
    return [f"{family} networks of {', '.join(depths)} layers have one seed; an interval needs two"]


def _one_row_per_run(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the runs of a probe's rows as finished ones; rows with a state are runs already."""
    if "state" in rows:
        return rows
    return rows.drop_duplicates("run_id").assign(state=State.DONE)


def repeated_seeds(runs: pd.DataFrame, network: str) -> list[Reason]:
    """Return a reason for each seed that several finished runs of a network have.

    A mean would count such a seed twice. The runs differ in something that the configuration does
    not show, so it is unknown which of them is meant.
    """
    finished = select_finished(runs)
    repeated = finished[finished["seed"].duplicated(keep=False)]
    reasons: list[Reason] = []
    for seed, same_seed in repeated.groupby("seed"):
        count = "twice" if len(same_seed) == 2 else f"{len(same_seed)} times"
        run_ids = ", ".join(map(str, same_seed["run_id"]))
        reasons.append(Gap(f"seed {seed} of {network} is recorded {count}", f"run ids {run_ids}"))
    return reasons
