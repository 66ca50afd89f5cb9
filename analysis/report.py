"""The report of an experiment: verdicts, figures, summary.csv, runs.csv and one self-contained report.html."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from analysis.claims import Claim, judge
from analysis.conditions import conditions
from analysis.figures import curves, depth, style
from analysis.frame import OVER, Frame
from analysis.statistics import student
from degradation.records.files import write_atomically
from degradation.records.schema import CLEAN_ERROR, CLEAN_LOSS, TEST_ERROR, State

FIGURES = {
    "error-against-depth": (
        depth.figure,
        "Error of the last iteration against depth. Points are runs, lines are means over seeds, bars are Student 95 % "
        "intervals of the mean; crosses are diverged runs, counted at chance.",
    ),
    "error-against-iteration": (
        curves.figure,
        "Error against iteration, a line a depth (mean over seeds): thin is the clean training error with a band over "
        "all runs, bold is the test error. Vertical lines: the learning rate falls.",
    ),
}
RUN_COLUMNS = [
    "run_id", "data", "family", "shortcut", "depth", "seed", "condition", "state", "reason", "iteration",
    "train/running_error", "train/augmented_error", CLEAN_ERROR, CLEAN_LOSS, TEST_ERROR, "untrained", "parameters",
    "multiply_adds", "device", "seconds",
]  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What one condition of the runs showed."""

    label: str
    margin: float  # points
    claims: list[Claim]
    summary: pd.DataFrame
    figures: dict[str, Path]  # name: PNG


@dataclass(frozen=True)
class Report:
    folder: Path
    parts: list[Part]
    runs: pd.DataFrame
    left_out: tuple[str, ...]

    @property
    def page(self) -> Path:
        return self.folder / "report.html"

    def verdict_table(self) -> str:
        """A claim with its verdict, the line that it rests on and its notes, for a terminal."""
        lines = []
        for part in self.parts:
            if part.label:
                lines.append(part.label)
            lines += [f"  {claim.name:<15} {claim.verdict:<13} {claim.decisive}" for claim in part.claims]
            notes = dict.fromkeys(note for claim in part.claims for note in claim.notes)
            lines += [f"  note: {note}" for note in notes]
        lines += [f"left out: {told}" for told in self.left_out]
        return "\n".join(lines)


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """A row a family and depth: runs by state, and the errors' mean and Student 95 % interval over seeds."""
    rows = []
    for (family, layers), part in runs.groupby(["family", "depth"]):
        over = part[part["state"].isin([*OVER])]
        row: dict[str, Any] = {"family": family, "depth": layers}
        row |= {str(state): int((part["state"] == state).sum()) for state in State}
        for name, metric in (
            ("train_clean_error", CLEAN_ERROR),
            ("test_error", TEST_ERROR),
            ("train_clean_loss", CLEAN_LOSS),
        ):
            values = over[metric].dropna().tolist()
            interval = student(values) if values else None
            for key in ("mean", "low", "high", "n"):
                row[f"{name}_{key}"] = getattr(interval, key) if interval else None
        rows.append(row)
    return pd.DataFrame(rows)


def build(frame: Frame, folder: Path, name: str, command: str, margins: dict[str, float]) -> Report:
    """Write everything under `folder` and return what was found. `margins`: points of training error by data set."""
    style.apply()
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (path for stem in FIGURES for path in folder.glob(f"{stem}*")):
        stale.unlink()
    parts = []
    cut = conditions(frame)
    for index, (label, part) in enumerate(cut):
        suffix = "" if len(cut) == 1 else f"-{index + 1}"
        figures = {}
        for stem, (make, _) in FIGURES.items():
            drawn: Figure = make(part)
            figures[stem] = style.save(drawn, folder / f"{stem}{suffix}")[0]
        margin = margins[part.runs["data"].iloc[0]]
        parts.append(Part(label, margin, judge(part.runs, margin), summarise(part.runs), figures))
    runs = frame.runs.assign(condition=_condition(frame.runs["run_id"], parts, cut)).reindex(columns=RUN_COLUMNS)
    summary = pd.concat([part.summary.assign(condition=part.label) for part in parts])
    _write_csv(folder / "summary.csv", summary)
    _write_csv(folder / "runs.csv", runs)
    report = Report(folder, parts, runs, frame.left_out)
    write_atomically(report.page, _page(report, frame, name, command).encode())
    return report


def _condition(run_ids: pd.Series, parts: list[Part], cut: list[tuple[str, Frame]]) -> list[str]:
    """The part that each run stands in; empty for a run that fits several."""
    labels: dict[str, str] = {}
    for part, (_, of_part) in zip(parts, cut, strict=True):
        for run in of_part.runs["run_id"]:
            labels[run] = "" if run in labels else part.label
    return [labels[run] for run in run_ids]


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    write_atomically(path, table.to_csv(index=False, float_format="%.6g").encode())


def _page(report: Report, frame: Frame, name: str, command: str) -> str:
    """HTML with the figures inside; everything shown is escaped."""
    environment = Environment(
        loader=PackageLoader("analysis", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = _number
    parts = [
        {
            "label": part.label,
            "margin": part.margin,
            "claims": part.claims,
            "summary": part.summary.to_dict("records"),
            "figures": [
                {"name": stem, "data": base64.b64encode(path.read_bytes()).decode(), "caption": FIGURES[stem][1]}
                for stem, path in part.figures.items()
            ],
        }
        for part in report.parts
    ]
    states = report.runs["state"].value_counts().to_dict()
    sources = frame.runs.dropna(subset=["device"])
    return environment.get_template("report.html.j2").render(
        name=name,
        command=command,
        parts=parts,
        states=states,
        data=sorted(frame.runs["data"].dropna().unique()),
        devices=sorted(sources["device"].unique()),
        commits=sorted(sources["commit"].dropna().unique()),
        versions=sorted({", ".join(f"{k} {v}" for k, v in row.items()) for row in sources["versions"]}),
        runs=report.runs.to_dict("records"),
        left_out=frame.left_out,
    )


def _number(value: Any, digits: int = 2) -> str:
    return "-" if value is None or pd.isna(value) else f"{value:.{digits}f}"
