"""Publish the records of a sweep as experiments/ledger/NAME/records.zip; overrides as for train.py.

python experiments/publish.py experiment=quick

The archive holds everything that a report reads, without weights and without anything private
(docs/records.md). `record_root=experiments/ledger/quick/records.zip` reads it. Publishing the same
records again gives the same bytes. Nothing is written unless every run of the sweep has finished,
its record is valid, and the current code is not known to produce different numbers.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from analysis.code_notes import describe_unverified_runs
from analysis.columns import CODE_CHANGE, CODE_STATE, FINISHED_STATES
from analysis.frame import load
from degradation.cli import Parser, add_overrides, run_script
from degradation.config import split_experiments
from degradation.durable_io import write_atomically
from degradation.errors import UserError
from degradation.records.archive import encode_archive
from degradation.records.publication import (
    build_published_files,
    find_private_text,
    list_private_names,
)
from degradation.records.schema import RecordError
from degradation.records.trained_code import CodeState
from degradation.sweep import jobs
from degradation.sweep.report_name import name_report

LEDGER = Path("experiments/ledger")
ARCHIVE = "records.zip"


class NotPublishable(UserError):
    """A run cannot be published; nothing has been written. The other lines are on stderr."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument(
        "--ledger",
        type=Path,
        default=LEDGER,
        help="folder in which the experiment has a folder of its name",
    )
    return parser.parse_intermixed_args()


def publish(overrides: list[str], ledger: Path) -> Path:
    """Write the archive of one sweep and return its path.

    Raises NotPublishable, ConfigError, DataError or RecordError; then nothing has been written.
    """
    runs = jobs.expand_runs(overrides)
    jobs.check_is_no_file(runs[0].config)
    planned = [jobs.describe_planned_run(run) for run in runs]
    frame = load(jobs.find_record_root(runs), planned)
    problems = list(frame.excluded)
    entries: dict[str, bytes] = {}
    table = frame.runs.set_index("run_id")
    for run in runs:
        problem = find_problem(run, table.loc[run.run_id])
        files: dict[str, bytes] = {}
        if problem is None:
            files, problem = build_files(run, CodeState(table.loc[run.run_id, CODE_STATE]))
        if problem is not None:
            problems.append(f"{run.run_id}: {problem}")
        entries |= {f"{run.run_id}/{name}": content for name, content in files.items()}
    if problems:
        for line in problems:
            print(line, file=sys.stderr)
        raise NotPublishable(f"{len(problems)} problems; nothing has been published")
    for note in describe_unverified_runs(frame.runs):
        print(f"Warning: {note}")
    path = ledger / name_entry(overrides) / ARCHIVE
    write_atomically(path, encode_archive(entries))
    return path


def find_problem(run: jobs.SweepRun, row: pd.Series) -> str | None:
    """Return why a run cannot be published, or None.

    Args:
        row: the run's row of `Frame.runs`.
    """
    if row["state"] not in FINISHED_STATES:
        reason = f" ({row['reason']})" if isinstance(row["reason"], str) else ""
        return f"is {row['state']}{reason}; allowed: finished runs"
    if row[CODE_STATE] == CodeState.OUTDATED:
        return f"is outdated ({row[CODE_CHANGE]}); retrain_outdated=true retrains it"
    if run.record.is_locked():
        return "another process holds the lock"
    if run.record.final_outcome() is None:
        return run.record.find_mismatch(verify_contents=True) or "has a checkpoint left"
    return None


def build_files(run: jobs.SweepRun, code_state: CodeState) -> tuple[dict[str, bytes], str | None]:
    """Return the published files of a run, or the reason why they are refused."""
    try:
        files = build_published_files(run.record, code_state)
        names = list_private_names(run.record, run.config.tracking.entity)
    except (RecordError, OSError) as error:
        return {}, str(error)
    problem = find_private_text(files, names)
    return ({}, problem) if problem else (files, None)


def name_entry(overrides: list[str]) -> str:
    """Return the name of a sweep in the ledger: its report's name, wherever the records are."""
    sweep = [override for override in overrides if not override.startswith("record_root=")]
    return name_report(sweep, jobs.expand_runs(sweep))


def main() -> None:
    arguments = parse_arguments()
    for overrides in split_experiments(arguments.overrides):
        path = publish(overrides, arguments.ledger)
        print(f"{path}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    run_script(main)
