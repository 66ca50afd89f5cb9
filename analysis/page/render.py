"""Render a report as one HTML page that contains its figures and loads nothing else."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, Template

from analysis.claim import Finding, Verdict
from analysis.columns import TRAINING_ERROR_AT_START, UNTRAINED_WITHIN_POINTS
from analysis.condition_labels import capitalise_first
from analysis.evidence import describe_end
from analysis.frame import Frame
from analysis.mechanisms.base import Check
from analysis.run_row import format_versions
from analysis.sections import Section
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    METRICS,
    RUNNING_ERROR,
    TEST_ERROR,
)
from degradation.records.trained_code import CodeState

PIXELS_PER_INCH = 96  # CSS pixels
# Numbers between these are printed without decimals, smaller and larger ones with four
# significant digits.
WHOLE_FROM, WHOLE_BELOW = 1e3, 1e7
RUN_METRICS = (
    CLEAN_ERROR,
    AUGMENTED_ERROR,
    RUNNING_ERROR,
    TEST_ERROR,
)  # columns of the table of runs
COLUMN_LABELS = {"without_end": "runs without a result"}  # other labels follow from the names
VERDICTS = {
    Verdict.REPRODUCED: "a 95 % confidence bound lies on the claimed side of the margin",
    Verdict.CONTRADICTED: "a 95 % confidence bound lies on the other side of the margin",
    Verdict.INCONCLUSIVE: "neither; more seeds may decide",
    Verdict.NOT_TESTED: "runs, depths or seeds that the claim needs are missing",
}

# What the answers to a question about a swept key mean.
ANSWERS = {
    "at every value, at no value": "a 95 % confidence bound lies on that side of the margin at each"
    " value of the key",
    "not at every value": "a bound lies below the margin at some value",
    "differs": "a bound shows a difference between two values that exceeds the margin",
    "alike": "bounds show that no two values differ by the margin",
}


def render_page(
    folder: Path,
    sections: Sequence[Section],
    runs: pd.DataFrame,
    frame: Frame,
    name: str,
    command: str,
    code_notes: Sequence[str],
) -> str:
    """Return the page; everything that comes from records or the user is escaped.

    Args:
        folder: the report's folder, where the figures have been written.
        sections: the sections in order.
        runs: the table of all runs, with the columns of runs.csv.
        frame: the frame that the report is about.
        name: the report's name.
        command: the command that reproduces the report.
        code_notes: what is shown above the verdicts about the code that trained the runs.
    """
    trained = frame.runs.dropna(subset=["device"])
    return _load_template().render(
        name=name,
        command=command,
        verdicts=VERDICTS,
        answers=ANSWERS if _has_findings(sections) else {},
        error_kind=frame.error_kind,
        sections=[_describe_section(section, folder) for section in sections],
        conditions=sum(section.summary is not None for section in sections),
        states=runs["state"].value_counts().to_dict(),
        data=sorted(frame.runs["data"].dropna().unique()),
        devices=sorted(trained["device"].unique()),
        commits=sorted(trained["commit"].dropna().unique()),
        versions=sorted({format_versions(versions) for versions in trained["versions"]}),
        runs=[run | {"when": describe_end(run)} for run in runs.to_dict("records")],
        metrics=[METRICS[metric] for metric in RUN_METRICS],
        test_error=METRICS[TEST_ERROR],
        clean_loss=METRICS[CLEAN_LOSS],
        has_constructed=bool(frame.runs[TRAINING_ERROR_AT_START].notna().any()),
        untrained_within=UNTRAINED_WITHIN_POINTS,
        excluded=frame.excluded,
        code_notes=code_notes,
        outdated=str(CodeState.OUTDATED),
    )


def _has_findings(sections: Sequence[Section]) -> bool:
    """Return whether a section answers a question that no paper has claimed."""
    return any(isinstance(claim, Finding) for section in sections for claim in section.claims)


def _load_template() -> Template:
    environment = Environment(
        loader=PackageLoader("analysis.page"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _format_number
    environment.filters["interval"] = _format_interval
    environment.filters["capitalise_first"] = capitalise_first
    return environment.get_template("report.html.j2")


def _describe_section(section: Section, folder: Path) -> dict[str, Any]:
    """Return the parts of a section that the template shows."""
    figures = [
        {
            "name": stem,
            "data": base64.b64encode((folder / f"{stem}.png").read_bytes()).decode(),
            "width": round(figure.get_figwidth() * PIXELS_PER_INCH),
            "caption": caption,
        }
        for stem, (figure, caption) in section.figures.items()
    ]
    tables = [(f"{stem}.csv", *_format_table(table)) for stem, table in section.tables.items()]
    return {
        "title": section.title,
        "margin": section.margin,
        "introduction": section.introduction,
        "claims": [claim for claim in section.claims if not isinstance(claim, Check)],
        "checks": [claim for claim in section.claims if isinstance(claim, Check)],
        "summary": None if section.summary is None else section.summary.to_dict("records"),
        "tables": tables,
        "figures": figures,
    }


def _format_table(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the column labels and the rows of a table as text."""
    columns = [str(column) for column in table]
    labels = [COLUMN_LABELS.get(column, column.replace("_", " ")) for column in columns]
    return labels, [_format_row(row, columns) for row in table.to_dict("records")]


def _format_row(row: dict[Any, Any], columns: list[str]) -> list[str]:
    return [_format_cell(column, row[column]) for column in columns]


def _format_cell(column: str, value: Any) -> str:
    """Return a value of a table as text.

    Errors in percent have two decimals; counts have all their digits; other numbers have four
    significant digits.
    """
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "-"
    if not isinstance(value, int | float):
        return str(value)
    if _is_error(column):
        return _format_number(value)
    if float(value).is_integer() or WHOLE_FROM <= abs(value) < WHOLE_BELOW:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _is_error(column: str) -> bool:
    """Return whether a column has means or bounds of an error, in percent."""
    is_about_error = "error" in column or column.startswith("increase")
    return is_about_error and column.endswith(("_mean", "_low", "_high"))


def _format_number(value: Any, decimals: int = 2) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:,.{decimals}f}"


def _format_interval(low: Any, high: Any) -> str:
    """Return `1.20 to 3.40`, or a dash if there is no interval."""
    return (
        "-" if low is None or pd.isna(low) else f"{_format_number(low)} to {_format_number(high)}"
    )
