"""The parts of a mechanism in the section *Why*, and what several mechanisms share."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.claim import Claim, Verdict
from analysis.estimates import Estimate
from analysis.figures.matplotlib_import import Figure
from analysis.figures.title_and_footer import describe_seeds
from analysis.gap import Reason
from analysis.mechanism_texts.wording import LeadItem
from analysis.plain_words import add_doubt
from analysis.requirements import unfinished_runs
from degradation.counting import format_count
from degradation.metrics import ITERATION
from degradation.records.schema import State

# An effect below this fraction is negligible: of the value that it changes, or of 1 for a
# correlation.
NEGLIGIBLE_FRACTION = 0.05
# What may settle a claim if some run's value is unknown.
KNOWN_VALUES = "runs in which what is measured is finite and not zero"
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
        lead_items: what its claims add to the lead of the section *Why*.
        shown_run_ids: the runs that each figure shows, by its file stem.
    """

    name: str
    title: str
    introduction: str
    claims: list[Claim]
    table: pd.DataFrame
    figures: dict[str, tuple[Figure, str]] = field(default_factory=dict)
    details: str = ""
    lead_items: list[LeadItem] = field(default_factory=list)
    shown_run_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)


def is_shown_within(effect: Estimate, limit: float) -> bool:
    """Return whether the one-sided 95 % bounds show that an effect is below a limit, either way."""
    return -limit < effect.lower and effect.upper < limit


def find_unprobed(runs: pd.DataFrame, values: pd.DataFrame) -> list[str]:
    """Return a note that names the runs without this probe, or an empty list if there are none.

    `runs`: rows of `Frame.runs`. `values`: rows with the `run_id` of every measured run.
    """
    unprobed = runs[~runs["run_id"].isin(values["run_id"])]
    if unprobed.empty:
        return []
    names = (unprobed["run_id"] + " (" + unprobed["state"].astype(str) + ")").tolist()
    return [f"{len(names)} of {len(runs)} runs lack this probe: {abbreviate(names)}"]


def account_for_missing_runs(
    claim: Claim, runs: pd.DataFrame, values: pd.DataFrame, families: Sequence[str]
) -> Claim:
    """Return a claim about what was probed as it holds for all runs of these families.

    It is not tested while runs are missing, unfinished or failed, as the claims about errors are,
    or while no run of a depth was probed. It is not reproduced if a diverged run was not probed:
    such a network differs from the others.

    Args:
        claim: judged from the runs that were probed.
        runs: rows of `Frame.runs`.
        values: rows with the `run_id` of every probed run.
        families: those that the claim is about.
    """
    if claim.verdict is Verdict.NOT_TESTED:
        return claim
    runs = runs[runs["family"].isin([*families])]
    is_probed = runs["run_id"].isin(values["run_id"])
    reasons: list[Reason] = []
    for family in families:
        family_runs = runs[runs["family"] == family]
        reasons += unfinished_runs(family, family_runs)
        reasons += _list_unprobed_depths(family, family_runs, values)
    if reasons:
        return Claim.not_tested(claim.name, claim.statement, reasons, claim.notes)
    if not is_probed.all():
        claim = replace(claim, measured_seeds=describe_seeds(runs[is_probed]))
    is_diverged = runs["state"] == State.DIVERGED
    unprobed_count = int((is_diverged & ~is_probed).sum())
    if unprobed_count == 0 or claim.verdict is not Verdict.REPRODUCED:
        return claim
    unprobed = format_count(
        unprobed_count, "diverged run was not probed", "diverged runs were not probed"
    )
    return replace(
        claim,
        verdict=Verdict.INCONCLUSIVE,
        decisive_line=f"{claim.decisive_line}; {unprobed}",
        plain_words=f"{claim.plain_words.removesuffix('.')}{add_doubt(Verdict.INCONCLUSIVE)}.",
        is_negligible=False,
        deciding_label="",  # the runs that were not probed decide
        remedy="a probe of the runs that diverged, or settings at which none does",
    )


def _list_unprobed_depths(family: str, runs: pd.DataFrame, values: pd.DataFrame) -> list[str]:
    """Return a reason for each depth that has trained runs, but none that was probed."""
    reasons = []
    for depth, group in runs[runs["state"] == State.DONE].groupby("depth"):
        if not group["run_id"].isin(values["run_id"]).any():
            reasons.append(f"{family}-{depth}: no run was probed")
    return reasons
