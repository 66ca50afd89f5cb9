"""The sections of a report: comparisons across conditions, then conditions, then mechanisms."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from analysis.claim import Claim, Verdict
from analysis.claims import judge_degradation
from analysis.columns import TRAINING_ERROR
from analysis.comparisons import compare_conditions
from analysis.condition_claims import judge_condition, title_condition
from analysis.condition_labels import is_null
from analysis.conditions import Condition, list_conditions
from analysis.figures import plot_condition
from analysis.figures.matplotlib_import import Figure
from analysis.file_names import list_suffixes
from analysis.frame import Frame
from analysis.key_columns import PREFIX
from analysis.mechanism_texts import lead
from analysis.mechanisms import Explanation, explain_mechanisms
from analysis.published_tables import build_cifar10_table, build_imagenet_table
from analysis.summary import compute_finished_interval, interval_columns, repeated_seed_note
from degradation.metrics import CLEAN_LOSS, TEST_ERROR
from degradation.records.metadata import COMPLEXITY_COLUMNS
from degradation.records.schema import State

SUMMARY_METRICS = {
    "training_error": TRAINING_ERROR,
    "test_error": TEST_ERROR,
    "train_clean_loss": CLEAN_LOSS,
}

SectionKind = Literal["comparison", "condition", "mechanism"]


@dataclass(frozen=True)
class Section:
    """One section of a report.

    Attributes:
        title: the heading, or empty text if the report has one condition and nothing else.
        margin: the claims' margin in points of training error, or None if they are about another
            quantity.
        claims: the claims with their verdicts.
        figures: each figure with its caption, by file stem.
        tables: a table for each file stem.
        summary: a condition's results by family and depth (`summarise`).
        run_ids: a condition's runs.
        introduction: what the section measures.
        kind: what the section is about: values of a key that are compared, one condition, or a
            mechanism that explains a condition.
        anchor: identifies the section in the page's links.
        details: a longer introduction, which the page shows folded.
        shown_run_ids: the runs that a figure shows, by its stem, where it does not show all runs of
            the section.
        suffix: the end of the file stems, which names the section's condition.
        condition: what its runs have in common, such as `width 8`, or empty text.
    """

    title: str
    margin: float | None
    claims: list[Claim]
    figures: dict[str, tuple[Figure, str]]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    summary: pd.DataFrame | None = None
    run_ids: tuple[str, ...] = ()
    introduction: str = ""
    kind: SectionKind = "condition"
    anchor: str = "results"
    details: str = ""
    shown_run_ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    suffix: str = ""
    condition: str = ""


def build_sections(frame: Frame, margins: dict[str, float]) -> list[Section]:
    """Return all sections of a report.

    `margins` has the margin of the claims for each data set, in points of training error.
    """
    sections = _build_comparisons(frame, margins)
    has_comparison = bool(sections)
    conditions = list_conditions(frame)
    explanations: list[Section] = []
    suffixes = list_suffixes([condition.label for condition in conditions])
    for condition, suffix in zip(conditions, suffixes, strict=True):
        margin = margins[condition.frame.runs["data"].iloc[0]]
        title = title_condition(condition.label, has_comparison)
        sections.append(_build_condition(title, condition, margin, suffix))
        explanations += _build_explanations(condition.label, condition.frame, margin, suffix)
    return sections + explanations


def _build_comparisons(frame: Frame, margins: dict[str, float]) -> list[Section]:
    """Return a section for each comparison."""
    return [
        Section(
            title=comparison.title,
            margin=comparison.margin,
            claims=comparison.claims,
            figures=comparison.figures,
            tables={comparison.name: comparison.table},
            introduction=comparison.introduction,
            kind="comparison",
            shown_run_ids=dict.fromkeys(comparison.figures, comparison.run_ids),
            anchor=_write_anchor(comparison.name),
        )
        for comparison in compare_conditions(frame, margins)
    ]


def _build_condition(title: str, condition: Condition, margin: float, suffix: str) -> Section:
    """Return the section of one condition: its claims and those about published numbers."""
    frame = condition.frame
    figures = {f"{stem}{suffix}": figure for stem, figure in plot_condition(frame).items()}
    published = {
        "published": build_cifar10_table(frame.runs),
        "published-imagenet": build_imagenet_table(frame.runs),
    }
    return Section(
        title=title,
        margin=margin,
        claims=judge_condition(frame, margin),
        figures=figures,
        tables={f"{stem}{suffix}": table for stem, table in published.items() if len(table)},
        summary=summarise(frame.runs).assign(**_name_values(condition)),
        run_ids=tuple(frame.runs["run_id"]),
        anchor=_write_anchor(f"results{suffix}"),
        suffix=suffix,
        condition=condition.label,
    )


def _name_values(condition: Condition) -> dict[str, Any]:
    """Return the value of each key that varies between conditions, by the key's own name."""
    return {
        key.removeprefix(PREFIX): None if is_null(value) else value
        for key, value in condition.values.items()
    }


def _build_explanations(label: str, frame: Frame, margin: float, suffix: str) -> list[Section]:
    """Return a section for each mechanism that was probed in one condition."""
    explanations = explain_mechanisms(frame, margin)
    sections = []
    if explanations:
        degradation = judge_degradation(frame.runs, margin)
        degrades = degradation.verdict is Verdict.REPRODUCED
        sections.append(_build_lead(explanations, label, suffix, degrades))
    for explanation in explanations:
        figures = {f"{stem}{suffix}": figure for stem, figure in explanation.figures.items()}
        tables = {f"{explanation.name}{suffix}": explanation.table}
        section = Section(
            title=f"Why: {explanation.title}{_in_brackets(label)}",
            margin=None,
            claims=explanation.claims,
            figures=figures,
            tables=tables if len(explanation.table) else {},
            introduction=explanation.introduction,
            kind="mechanism",
            anchor=_write_anchor(f"why-{explanation.name}{suffix}"),
            details=explanation.details,
            suffix=suffix,
            condition=label,
            shown_run_ids={
                f"{stem}{suffix}": ids for stem, ids in explanation.shown_run_ids.items()
            },
        )
        sections.append(section)
    return sections


def _build_lead(
    explanations: list[Explanation], label: str, suffix: str, degrades: bool
) -> Section:
    """Return the section before the mechanisms: what they show together, in a few sentences."""
    items = [item for explanation in explanations for item in explanation.lead_items]
    return Section(
        title=f"Why: {lead.TITLE}{_in_brackets(label)}",
        margin=None,
        claims=[],
        figures={},
        introduction=lead.write_lead(items, degrades),
        kind="mechanism",
        anchor=f"why-lead{suffix}",
        condition=label,
    )


def _in_brackets(label: str) -> str:
    """Return the end of a title that names a condition; empty text if there is one condition."""
    return f" ({label})" if label else ""


def _write_anchor(name: str) -> str:
    """Return a name as an HTML id: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per family and depth of one condition.

    Each row has the number of runs in each state, the mean errors (in percent) and the mean loss
    with their 95 % Student-t confidence intervals over seeds, and the network's complexity.
    """
    rows = []
    for (family, depth), group in runs.groupby(["family", "depth"]):
        row: dict[str, Any] = {"family": family, "depth": depth}
        for state in State:
            row[str(state)] = int((group["state"] == state).sum())
        for name, metric in SUMMARY_METRICS.items():
            interval = compute_finished_interval(group, metric)
            row |= interval_columns(interval, name, ("mean", "low", "high", "n"))
        for name in COMPLEXITY_COLUMNS:
            row[name] = group[name].dropna().max()
        row |= repeated_seed_note(group, f"{family}-{depth}")
        rows.append(row)
    return pd.DataFrame(rows)
