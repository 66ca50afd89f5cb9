"""Verdicts, figures and report.html of a grid: the same words as train.py takes, or a filter over records.

python experiments/report.py experiment=quick
python experiments/report.py -m model=plain,residual model.depth=20,56 seed=0,1
python experiments/report.py --records runs --where 'family == "plain" and depth < 60' --name shallow-plain
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.columns import TRAINING_ERRORS
from analysis.frame import Frame, load, load_where
from analysis.report import Report, build
from degradation.cli import Parser, run_script
from degradation.config import NAME, Tracking, default_margin
from degradation.config.errors import quote
from degradation.records.locks import NO_TIMEOUT, hold
from degradation.records.root import root_token
from degradation.sweep import jobs


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "overrides",
        nargs="*",
        help="as for train.py: experiment=NAME, key=value, key=value1,value2",
    )
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit"
    )
    parser.add_argument(
        "--records", type=Path, help="report all records under this folder instead of a grid"
    )
    parser.add_argument("--where", help="with --records: a pandas query over the table of runs")
    parser.add_argument("--name", default="records", help="with --records: the report's name")
    parser.add_argument(
        "--training-error",
        choices=list(TRAINING_ERRORS),
        default="clean",
        help="with --records: what claims are about",
    )
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="where the report's folder goes"
    )
    given = parser.parse_intermixed_args()
    if given.where and not given.records:
        parser.error("--where needs --records")
    if given.records and given.overrides:
        parser.error("give overrides or --records, not both")
    if not NAME.accepts(given.name):
        parser.error(f"--name: {quote(given.name)} is not allowed; allowed: {NAME.allowed}")
    return given


def from_records(given: argparse.Namespace) -> Report:
    frame: Frame = load_where(given.records, given.where, given.training_error)
    names = frame.runs["data"].dropna().unique()
    margins = {name: default_margin(name) for name in names}
    command = shlex.join(["python", "experiments/report.py", *sys.argv[1:]])
    with alone(given.reports / given.name) as folder:
        return build(frame, folder, given.name, command, margins)


def from_grid(given: argparse.Namespace, runs: list[jobs.SweepRun]) -> Report:
    name, config = runs[0].config.name, runs[0].config
    margins = {run.config.data.name: run.config.data.margin for run in runs}
    frame = load(
        jobs.find_record_root(runs),
        [jobs.describe_planned_run(run) for run in runs],
        config.training_error,
    )
    words = [*(["-m"] if given.multirun else []), *given.overrides]
    command = "\n".join(
        shlex.join(["python", f"experiments/{script}.py", *words]) for script in ("train", "report")
    )
    with alone(given.reports / name) as folder:
        report = build(frame, folder, name, command, margins)
        if (frame.runs["state"] != "missing").any():
            mirror(report, jobs.find_record_root(runs), config.tracking)
    return report


@contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Nobody else writes a report of this name meanwhile: it would take away the figures that this one shows."""
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder / ".lock", NO_TIMEOUT):
        yield folder


def mirror(report: Report, root: Path, tracking: Tracking) -> None:
    """Show the report in W&B too, as a run of job type `analysis`."""
    from degradation.tracking.mirror import mirror_analysis

    name = report.folder.name

    def identify() -> dict[str, str]:
        return {
            "id": f"report-{name}-{root_token(root)}",
            "name": f"report {name}",
            "group": name,
            "job_type": "analysis",
        }

    tables = {"runs": report.runs}
    for index, section in enumerate(report.sections):
        tables |= section.tables
        if section.summary is not None:
            tables[f"summary-{index + 1}"] = section.summary
    mirror_analysis(tracking, root, identify, tables, report.figure_paths())


def main() -> None:
    given = arguments()
    runs = [] if given.records else jobs.expand_runs(given.overrides)
    report = from_grid(given, runs) if runs else from_records(given)
    print(report.format_summary())


if __name__ == "__main__":
    run_script(main)
