"""Publish the records of a sweep as experiments/ledger/NAME/records.zip; overrides as for train.py.

python experiments/publish.py experiment=quick
python experiments/publish.py --records runs/natural --name natural

The archive holds everything that a report reads, without weights and without anything private
(docs/records.md). `record_root=experiments/ledger/quick/records.zip` reads it. Publishing the same
records again gives the same bytes. Nothing is written unless every run of the sweep has finished,
its record is valid, and the current code is not known to produce different numbers.

With --records, the finished runs in a folder are added to those that the entry already has, for
runs of no experiment in conf/. Neither their data nor their weights need to exist any more.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.code_notes import describe_unverified_runs
from analysis.columns import CODE_CHANGE, CODE_STATE, FINISHED_STATES
from analysis.frame import load
from analysis.publication import (
    build_files,
    build_published_runs,
    find_defects,
    read_published_runs,
)
from degradation.cli import Parser, add_overrides, run_script
from degradation.config import NAME, split_experiments
from degradation.config.errors import ConfigError, quote
from degradation.counting import format_count
from degradation.durable_io import write_atomically
from degradation.errors import UserError
from degradation.records.archive import encode_archive
from degradation.records.archive_tables import RunFiles
from degradation.records.trained_code import CodeState
from degradation.sweep.jobs import check_record_root_is_folder
from degradation.sweep.planned_runs import describe_planned_runs
from degradation.sweep.report_name import name_report
from degradation.sweep.runs import SweepRun, expand_runs, find_record_root

LEDGER = Path("experiments/ledger")
ARCHIVE = "records.zip"


class NotPublishable(UserError):
    """A run cannot be published; nothing has been written. The other lines are on stderr."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument(
        "--records",
        type=Path,
        help="publish the finished runs in this folder instead of a sweep",
    )
    parser.add_argument("--name", help="with --records: the entry's name")
    parser.add_argument(
        "--ledger",
        type=Path,
        default=LEDGER,
        help="folder in which the experiment has a folder of its name",
    )
    arguments = parser.parse_intermixed_args()
    if (arguments.records is None) != (arguments.name is None):
        raise ConfigError("--records, --name: one alone is not allowed; allowed: both or none")
    if arguments.records is not None and arguments.overrides:
        raise ConfigError("--records: is not allowed with overrides; allowed: one of the two")
    if arguments.records is not None and not arguments.records.is_dir():
        folder = quote(str(arguments.records))
        raise ConfigError(f"--records: {folder} is not allowed; allowed: a folder of records")
    if arguments.name is not None and not NAME.accepts(arguments.name):
        name = quote(arguments.name)
        raise ConfigError(f"--name: {name} is not allowed; allowed: {NAME.allowed}")
    return arguments


def publish(overrides: list[str], ledger: Path) -> Path:
    """Write the archive of one sweep and return its path.

    Raises NotPublishable, ConfigError, DataError or RecordError; then nothing has been written.
    """
    runs = expand_runs(overrides)
    check_record_root_is_folder(runs[0].config)
    planned = describe_planned_runs(runs)
    frame = load(find_record_root(runs), planned)
    problems = list(frame.excluded)
    published: dict[str, RunFiles] = {}
    table = frame.runs.set_index("run_id")
    for run in runs:
        problem = find_problem(run, table.loc[run.run_id])
        if problem is None:
            code_state = CodeState(table.loc[run.run_id, CODE_STATE])
            entity = run.config.tracking.entity
            published[run.run_id], problem = build_files(run.record, code_state, entity)
        if problem is not None:
            problems.append(f"{run.run_id}: {problem}")
    stop_at(problems)
    for note in describe_unverified_runs(frame.runs):
        print(f"Warning: {note}")
    path = ledger / name_entry(overrides) / ARCHIVE
    dropped = sorted(read_published_runs(path).keys() - published.keys())
    write_atomically(path, encode_archive(published))
    if dropped:
        count = format_count(len(dropped), "run")
        print(f"Warning: {path} no longer has {count} of other sweeps: {abbreviate(dropped)}")
    return path


def find_problem(run: SweepRun, row: pd.Series) -> str | None:
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


def publish_folder(folder: Path, name: str, ledger: Path) -> Path:
    """Add the finished runs of a folder to an entry's archive and return its path.

    Raises NotPublishable or RecordError; then nothing has been written.
    """
    path = ledger / name / ARCHIVE
    published, problems, unfinished = build_published_runs(folder)
    for line in unfinished:
        print(line)
    stop_at(problems)
    content = encode_archive(read_published_runs(path) | published)
    stop_at(find_defects(content, path))
    write_atomically(path, content)
    return path


def stop_at(problems: list[str]) -> None:
    """Print the problems, one line each, and raise NotPublishable if there are any."""
    for line in problems:
        print(line, file=sys.stderr)
    if problems:
        count = format_count(len(problems), "problem")
        raise NotPublishable(f"{count}; nothing has been published")


def name_entry(overrides: list[str]) -> str:
    """Return the name of a sweep in the ledger: its report's name, wherever the records are."""
    sweep = [override for override in overrides if not override.startswith("record_root=")]
    return name_report(sweep, expand_runs(sweep))


def main() -> None:
    arguments = parse_arguments()
    if arguments.records is not None:
        print_size(publish_folder(arguments.records, arguments.name, arguments.ledger))
        return
    for overrides in split_experiments(arguments.overrides):
        print_size(publish(overrides, arguments.ledger))


def print_size(path: Path) -> None:
    print(f"{path}: {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    run_script(main)
