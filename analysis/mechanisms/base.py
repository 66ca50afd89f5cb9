"""What a part of the section *Why* is made of: a mechanism, what was measured of it, and what that says."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from analysis.claim import Claim, Verdict
from analysis.evidence import abbreviate
from analysis.frame import Frame


class Check(Claim):
    """Arithmetic that must hold whatever the nets are like: no finding, since nothing measured could contradict it.

    It fails where the code or the numbers of a record are wrong. A report lists it apart from the claims.
    """

    @property
    def outcome(self) -> str:
        outcomes = {
            Verdict.REPRODUCED: "holds",
            Verdict.CONTRADICTED: "FAILS",
            Verdict.INCONCLUSIVE: "not known",
        }
        return outcomes.get(self.verdict, str(self.verdict))


@dataclass(frozen=True)
class Explanation:
    name: str  # of its files
    title: str
    introduction: (
        str  # what is measured, how, and what to look for, for a reader who knows backpropagation
    )
    claims: list[Claim]
    table: pd.DataFrame
    figures: dict[str, tuple[Figure, str]] = field(default_factory=dict)  # name: figure, caption


Build = Callable[
    [Frame, float], Explanation | None
]  # the frame of one condition, the margin in points


def by_family(values: pd.DataFrame, family: str, column: str) -> dict[int, list[float]]:
    """The values of a family's runs at each depth, shallowest first."""
    part = values[values["family"] == family]
    return {
        int(str(depth)): group[column].dropna().tolist() for depth, group in part.groupby("depth")
    }


def unprobed(runs: pd.DataFrame, probed: pd.DataFrame) -> list[str]:
    """The runs without rows of the probe that is shown: some named, the rest counted."""
    missing = runs[~runs["run_id"].isin(probed["run_id"])]
    named = [
        f"{run_id} ({state})"
        for run_id, state in zip(missing["run_id"], missing["state"], strict=True)
    ]
    return (
        [f"{len(named)} of {len(runs)} runs without this probe: {abbreviate(named)}"]
        if named
        else []
    )
