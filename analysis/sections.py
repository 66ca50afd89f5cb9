"""What a report is made of: a section for each comparison across conditions, then one for each condition."""

from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis import published_claims, published_tables
from analysis.claim import Claim
from analysis.claims import judge
from analysis.columns import TRAINING_ERROR
from analysis.comparisons import compare_conditions
from analysis.conditions import split_by_condition
from analysis.figures import plot_condition
from analysis.frame import Frame
from analysis.mechanisms import explain_mechanisms
from analysis.summary import compute_finished_interval, interval_columns, repeated_seed_note
from degradation.metrics import CLEAN_LOSS, TEST_ERROR
from degradation.records.schema import State

DEGRADATION = "Degradation and its fix"  # of one condition, where a comparison comes before it
COUNTED = ("parameters", "multiply_adds", "activations")


@dataclass(frozen=True)
class Section:
    title: str  # empty where there is one condition only
    margin: float | None  # points; None where the claims are about something else
    claims: list[Claim]
    figures: dict[str, tuple[Figure, str]]  # name of the file: figure, caption
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)  # name of the file: table
    summary: pd.DataFrame | None = None  # of a condition
    run_ids: tuple[str, ...] = ()  # of a condition
    introduction: str = ""


def sections(frame: Frame, margins: dict[str, float]) -> list[Section]:
    """All of a report. `margins`: points of training error by data set."""
    found: list[Section] = []
    names = frame.runs["data"].dropna().unique()
    if len(names) == 1:
        margin = margins[names[0]]
        found = [
            Section(one.title, margin, one.claims, one.figures, {one.name: one.table})
            for one in compare_conditions(frame, margin)
        ]
    cut = split_by_condition(frame)
    for index, (label, part) in enumerate(cut):
        suffix = "" if len(cut) == 1 else f"-{index + 1}"
        title = label or (DEGRADATION if found else "")
        found.append(_condition(title, part, margins[part.runs["data"].iloc[0]], suffix))
    for index, (label, part) in enumerate(cut):
        suffix = "" if len(cut) == 1 else f"-{index + 1}"
        found += _why(label, part, margins[part.runs["data"].iloc[0]], suffix)
    return found


def _why(label: str, part: Frame, margin: float, suffix: str) -> list[Section]:
    """What the probes inside these runs' networks found, a section a mechanism."""
    return [
        Section(
            f"Why: {one.title}{f' ({label})' if label else ''}",
            None,
            one.claims,
            {f"{stem}{suffix}": shown for stem, shown in one.figures.items()},
            {f"{one.name}{suffix}": one.table} if len(one.table) else {},
            introduction=one.introduction,
        )
        for one in explain_mechanisms(part, margin)
    ]


def _condition(label: str, part: Frame, margin: float, suffix: str) -> Section:
    """Runs that differ in family, depth and seed only; the published numbers beside those of the paper's protocol."""
    figures = {f"{stem}{suffix}": drawn for stem, drawn in plot_condition(part).items()}
    tables = {}
    cifar10, imagenet = (
        published_tables.build_cifar10_table(part.runs),
        published_tables.build_imagenet_table(part.runs),
    )
    if len(cifar10):
        tables[f"published{suffix}"] = cifar10
    if len(imagenet):
        tables[f"published-imagenet{suffix}"] = imagenet
    claims = [*judge(part.runs, margin), *published_claims.judge_published(part.runs, margin)]
    return Section(
        label, margin, claims, figures, tables, summarise(part.runs), tuple(part.runs["run_id"])
    )


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a family and depth: runs by state, errors with their Student 95 % interval over seeds, and the census."""
    rows = []
    for (family, layers), part in runs.groupby(["family", "depth"]):
        row: dict[str, Any] = {"family": family, "depth": layers}
        row |= {str(state): int((part["state"] == state).sum()) for state in State}
        for name, metric in (
            ("training_error", TRAINING_ERROR),
            ("test_error", TEST_ERROR),
            ("train_clean_loss", CLEAN_LOSS),
        ):
            row |= interval_columns(
                compute_finished_interval(part, metric), name, ("mean", "low", "high", "n")
            )
        row |= {name: part[name].dropna().max() for name in COUNTED}
        rows.append(row | repeated_seed_note(part, f"{family}-{layers}"))
    return pd.DataFrame(rows)
