"""The report of an experiment: verdicts, figures, tables and one self-contained report.html."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader

from analysis.claim import Claim
from analysis.columns import ENDED_AT, TRAINING_ERROR
from analysis.evidence import describe_end
from analysis.figures import style
from analysis.frame import Frame
from analysis.mechanisms.base import Check
from analysis.sections import Section, sections
from degradation.durable_io import read_file, write_atomically
from degradation.metrics import (
    AUGMENTED_ERROR,
    CLEAN_ERROR,
    CLEAN_LOSS,
    ITERATION,
    RUNNING_ERROR,
    TEST_ERROR,
)

TABLE_COLUMNS = [
    "run_id", "data", "family", "shortcut", "depth", "seed", "condition", "state", "reason", ITERATION,
    ENDED_AT, RUNNING_ERROR, AUGMENTED_ERROR, CLEAN_ERROR, CLEAN_LOSS, TEST_ERROR,
    "training_error_at_start", "untrained", "parameters", "multiply_adds", "activations", "device", "threads",
    "seconds",
]  # fmt: skip
PIXELS = 96  # an inch, on a page
EXACT = 2**53  # a float has every whole number up to here
FROM, BELOW = 1e3, 1e7  # between them a number is printed to its ones
MADE = "report-files.txt"  # what the last report wrote, so that the next one leaves nothing stale
KINDS = (".png", ".svg", ".csv")  # of files that are named there
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet may run a cell that begins so
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # which it does not


@dataclass(frozen=True)
class Report:
    folder: Path
    sections: list[Section]
    runs: pd.DataFrame
    excluded: tuple[str, ...]

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    def figures(self) -> dict[str, Path]:
        """Name: PNG."""
        return {
            stem: self.folder / f"{stem}.png"
            for section in self.sections
            for stem in section.figures
        }

    def format_verdicts(self) -> str:
        """A claim with its verdict, the line that it rests on and its notes, for a terminal."""
        lines = []
        width = max(15, *(len(claim.name) for section in self.sections for claim in section.claims))
        for section in self.sections:
            if section.title:
                lines.append(section.title)
            lines += [
                f"  {claim.name:<{width}} {_outcome(claim):<13} {claim.decisive}"
                for claim in section.claims
            ]
            notes = dict.fromkeys(note for claim in section.claims for note in claim.notes)
            lines += [f"  note: {note}" for note in notes]
        lines += [f"left out: {told}" for told in self.excluded]
        return "\n".join(lines)


def build(frame: Frame, folder: Path, name: str, command: str, margins: dict[str, float]) -> Report:
    """Write everything under `folder` and return what was found. `margins`: points of training error by data set."""
    style.apply()
    folder.mkdir(parents=True, exist_ok=True)
    _remove_stale(folder)
    found = sections(frame, margins)
    written = []
    for section in found:
        for stem, (figure, _) in section.figures.items():
            written += style.save(figure, folder / stem)
        for stem, table in section.tables.items():
            written.append(_write_csv(folder / f"{stem}.csv", table))
    runs = frame.runs.assign(condition=_condition(frame.runs["run_id"], found)).reindex(
        columns=TABLE_COLUMNS
    )
    summary = pd.concat(
        [one.summary.assign(condition=one.title) for one in found if one.summary is not None]
    )
    written += [_write_csv(folder / "summary.csv", summary), _write_csv(folder / "runs.csv", runs)]
    report = Report(folder, found, runs, frame.excluded)
    write_atomically(
        report.page, _page(report, frame, name, command).encode(errors="backslashreplace")
    )
    write_atomically(folder / MADE, "".join(f"{path.name}\n" for path in written).encode())
    return report


def _remove_stale(folder: Path) -> None:
    """Take away what the last report here has written, and nothing else."""
    try:
        names = read_file(folder / MADE).decode().split()
    except (OSError, UnicodeDecodeError):  # none, or none of ours
        return
    for name in names:
        if Path(name).name == name and name.endswith(KINDS):
            (folder / name).unlink(missing_ok=True)


def _condition(run_ids: pd.Series, found: list[Section]) -> list[str]:
    """The condition that each run stands in; empty for a run that fits several."""
    labels: dict[str, str] = {}
    for section in found:
        for run in section.run_ids:
            labels[run] = "" if run in labels else section.title
    return [labels[run] for run in run_ids]


def _write_csv(path: Path, table: pd.DataFrame) -> Path:
    text = table.map(_harmless).to_csv(index=False, float_format=_in_full)
    write_atomically(path, text.encode(errors="backslashreplace"))
    return path


def _in_full(value: Any) -> str:
    """A count that is a float, since some are not known, with all its digits; other numbers with six."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < EXACT else f"{value:.6g}"


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would run as a formula begins with an apostrophe; a number, in a text too, is left."""
    is_formula = (
        isinstance(value, str) and value.startswith(FORMULA) and not NUMBER.fullmatch(value)
    )
    return f"'{value}" if is_formula else value


def _outcome(claim: Claim) -> str:
    """A claim's verdict; whether a check holds."""
    return claim.outcome if isinstance(claim, Check) else str(claim.verdict)


def _page(report: Report, frame: Frame, name: str, command: str) -> str:
    """HTML with the figures inside; everything shown is escaped."""
    environment = Environment(
        loader=PackageLoader("analysis", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    shown = [
        {
            "title": section.title,
            "margin": section.margin,
            "introduction": section.introduction,
            "claims": [claim for claim in section.claims if not isinstance(claim, Check)],
            "checks": [claim for claim in section.claims if isinstance(claim, Check)],
            "summary": None if section.summary is None else section.summary.to_dict("records"),
            "tables": [(f"{stem}.csv", *_as_text(table)) for stem, table in section.tables.items()],
            "figures": [
                {
                    "name": stem,
                    "data": _inlined(report.folder / f"{stem}.png"),
                    "width": round(figure.get_figwidth() * PIXELS),
                    "caption": caption,
                }
                for stem, (figure, caption) in section.figures.items()
            ],
        }
        for section in report.sections
    ]
    sources = frame.runs.dropna(subset=["device"])
    return environment.get_template("report.html.j2").render(
        name=name,
        command=command,
        kind=frame.error_kind,
        sections=shown,
        conditions=sum(section.summary is not None for section in report.sections),
        states=report.runs["state"].value_counts().to_dict(),
        data=sorted(frame.runs["data"].dropna().unique()),
        devices=sorted(sources["device"].unique()),
        commits=sorted(sources["commit"].dropna().unique()),
        versions=sorted(
            {", ".join(f"{k} {v}" for k, v in row.items()) for row in sources["versions"]}
        ),
        runs=[run | {"when": describe_end(run)} for run in report.runs.to_dict("records")],
        constructed=bool(frame.runs[TRAINING_ERROR + "_at_start"].notna().any()),
        excluded=frame.excluded,
    )


def _inlined(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _number(value: Any, digits: int = 2) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def _as_text(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Column names and rows."""
    columns = [str(column) for column in table]
    return columns, [
        [_cell(column, row[column]) for column in columns] for row in table.to_dict("records")
    ]


def _cell(column: str, value: Any) -> str:
    """A table's value: errors in percent to two digits, counts in full, other numbers to four significant digits."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "-"
    if not isinstance(value, int | float):
        return str(value)
    if _is_percent(column):
        return _number(value)
    if float(value).is_integer() or FROM <= abs(value) < BELOW:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _is_percent(column: str) -> bool:
    of_error = "error" in column or column.startswith("increase")
    return of_error and column.rpartition("_")[2] in ("mean", "low", "high")
