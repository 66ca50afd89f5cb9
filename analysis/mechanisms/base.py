"""The parts of a mechanism in the section *Why*, and what several mechanisms share."""

from dataclasses import dataclass, field

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.claim import Claim
from analysis.figures.matplotlib_import import Figure
from analysis.story.wording import Takeaway
from degradation.metrics import ITERATION

# An effect below this fraction of the value that it changes is negligible.
NEGLIGIBLE_FRACTION = 0.05
# What identifies a measurement of a probe: a run and a time point in its training.
MEASUREMENT_KEYS = ["family", "depth", "seed", "run_id", ITERATION, "time_point"]


@dataclass(frozen=True)
class Explanation:
    """One mechanism: what was measured, what that says, and how it is shown.

    Attributes:
        name: stem of the table's file.
        title: a short question in lower case; the report puts "Why: " before it.
        introduction: a few sentences: what one would expect, and what these runs show.
        claims: the claims with their verdicts; some may be checks.
        table: a summary over seeds.
        figures: file stem: (figure, caption); the first is the main figure.
        details: how it is measured, and its limits; the report shows them folded.
        takeaways: what its claims add to the lead of the section *Why*.
        shown_run_ids: the runs that each figure shows, by its file stem.
    """

    name: str
    title: str
    introduction: str
    claims: list[Claim]
    table: pd.DataFrame
    figures: dict[str, tuple[Figure, str]] = field(default_factory=dict)
    details: str = ""
    takeaways: list[Takeaway] = field(default_factory=list)
    shown_run_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)


def find_unprobed(runs: pd.DataFrame, values: pd.DataFrame) -> list[str]:
    """Return a note that names the runs without this probe, or an empty list if there are none.

    `runs`: rows of `Frame.runs`. `values`: rows with the `run_id` of every measured run.
    """
    unprobed = runs[~runs["run_id"].isin(values["run_id"])]
    if unprobed.empty:
        return []
    names = (unprobed["run_id"] + " (" + unprobed["state"].astype(str) + ")").tolist()
    return [f"{len(names)} of {len(runs)} runs lack this probe: {abbreviate(names)}"]


def group_known_values(values: pd.DataFrame, family: str, column: str) -> dict[int, list[float]]:
    """Return the known values of one family by depth, shallowest first, without NaN.

    `values`: one row per run.
    """
    groups = {}
    for depth, group in values[values["family"] == family].groupby("depth"):
        groups[int(str(depth))] = group[column].dropna().tolist()
    return groups
