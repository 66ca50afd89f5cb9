"""Write the verdicts, figures and report.html of a sweep, or of a selection of records.

python experiments/report.py experiment=quick
python experiments/report.py -m model=plain,residual model.depth=20,56 seed=0,1
python experiments/report.py --records runs --where 'depth < 60' --name shallow
python experiments/report.py --index

Overrides select a sweep as for train.py; the report lists its missing runs too. Without any record
of the sweep, no report is written. Several experiments (experiment=a,b) get one report each. The
index of all reports, reports/index.html, is written after each of them; --index writes only the
index.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from analysis.columns import TRAINING_ERRORS
from analysis.frame import load
from analysis.labelled_figures import TAKEAWAY, TITLES
from analysis.missing_records import describe_missing_sweep, describe_nested_records
from analysis.page.report_index import write_index
from analysis.query import load_where
from analysis.report import Report, build
from analysis.terminal_summary import print_summary
from degradation.cli import Parser, add_overrides, format_error, run_script
from degradation.config import NAME, Tracking, default_margin, split_experiments
from degradation.config.errors import ConfigError, quote
from degradation.progress import notify
from degradation.records.locks import NO_TIMEOUT, hold
from degradation.records.schema import RecordError, State
from degradation.sweep.planned_runs import describe_planned_runs
from degradation.sweep.report_name import REPORTS, name_report
from degradation.sweep.runs import expand_runs, find_record_root

# The commands of a report work in the folder of a clone, with no environment activated.
SETUP = "make setup"
PYTHON = ".venv/bin/python"
INDEX_LOCK = ".index.lock"
RECORD_ROOT = "record_root="


class NoRecordsError(RecordError):
    """No run of a sweep has a record, so there is nothing to report."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    parser.add_argument(
        "--records",
        type=Path,
        help="report all records under this folder, or in this archive, instead of a sweep",
    )
    parser.add_argument(
        "--where",
        metavar="QUERY",
        help="with --records: a pandas query over the table of runs; a name that has a dot"
        " needs backticks: '`optim.lr` == 0.1 and depth < 60'",
    )
    parser.add_argument("--name", help="with --records: the report's name (default: records)")
    parser.add_argument(
        "--training-error",
        choices=list(TRAINING_ERRORS),
        help="with --records: the training error that claims are about (default: clean)",
    )
    parser.add_argument(
        "--titles",
        choices=TITLES,
        help="with --records: titles of figures say what the verdicts say, or what is drawn",
    )
    parser.add_argument(
        "--reports",
        type=Path,
        default=REPORTS,
        help="folder in which the report gets its own folder",
    )
    parser.add_argument(
        "--tables", action="store_true", help="write only the tables, without figures and page"
    )
    parser.add_argument("--index", action="store_true", help="write only the index of all reports")
    arguments = parser.parse_intermixed_args()
    if arguments.index and (arguments.records or arguments.overrides):
        raise ConfigError("--index: is not allowed with --records or overrides")
    is_missing = not arguments.reports.exists()
    if not arguments.reports.is_dir() and (arguments.index or not is_missing):
        raise ConfigError(f"--reports: {quote(str(arguments.reports))} is not a folder")
    if not arguments.records:
        _refuse_options_of_records(arguments)
    arguments.name = arguments.name or "records"
    arguments.training_error = arguments.training_error or "clean"
    arguments.titles = arguments.titles or TAKEAWAY
    if arguments.records and arguments.overrides:
        raise ConfigError("--records: is not allowed with overrides; allowed: one of the two")
    if not NAME.accepts(arguments.name):
        name = quote(arguments.name)
        raise ConfigError(f"--name: {name} is not allowed; allowed: {NAME.allowed}")
    if arguments.records and not arguments.records.exists():
        raise ConfigError(
            f"--records: {quote(str(arguments.records))} does not exist; allowed: a folder of"
            " records, or an archive such as experiments/ledger/quick/records.zip"
        )
    return arguments


def _refuse_options_of_records(arguments: argparse.Namespace) -> None:
    """Raise ConfigError for an option that only --records reads; overrides have keys for them."""
    keys = {
        "--where": (arguments.where, None),
        "--name": (arguments.name, "name"),
        "--training-error": (arguments.training_error, "training_error"),
        "--titles": (arguments.titles, "report.titles"),
    }
    for option, (value, key) in keys.items():
        if value:
            instead = "" if key is None else f"; allowed: the override {key}={value}"
            raise ConfigError(f"{option}: is not allowed without --records{instead}")


def report_records(arguments: argparse.Namespace) -> Report:
    """Write the report of the records under a folder."""
    frame = load_where(
        arguments.records, arguments.where, arguments.training_error, option="--where"
    )
    nested = describe_nested_records(arguments.records)
    if nested is not None:
        notify(nested)
    data_names = frame.runs["data"].dropna().unique()
    margins = {name: default_margin(name) for name in data_names}
    command = f"{SETUP}\n{shlex.join([PYTHON, 'experiments/report.py', *sys.argv[1:]])}"
    with exclusive_folder(arguments.reports / arguments.name) as folder:
        return build(
            frame,
            folder,
            arguments.name,
            command,
            margins,
            arguments.titles,
            only_tables=arguments.tables,
        )


def report_sweep(arguments: argparse.Namespace, overrides: list[str]) -> Report:
    """Write the report of a sweep, and mirror it to W&B.

    Raises NoRecordsError, and writes nothing, if no run of the sweep has a record.
    """
    runs = expand_runs(overrides)
    config = runs[0].config
    margins = {run.config.data.name: run.config.data.margin for run in runs}
    root = find_record_root(runs)
    planned = describe_planned_runs(runs)
    frame = load(root, planned, config.training_error)
    if not frame.excluded and (frame.runs["state"] == State.MISSING).all():
        raise NoRecordsError(describe_missing_sweep(frame.runs, root))
    name = name_report(overrides, runs)
    title = name_report(overrides, runs, names_root=False)
    archive = root if root.is_file() else None
    commands = format_commands(overrides, arguments.multirun, archive)
    with exclusive_folder(arguments.reports / name) as folder:
        report = build(
            frame,
            folder,
            title,
            commands,
            margins,
            config.report.titles,
            only_tables=arguments.tables,
        )
        # W&B ids depend on the root, and an archive is not written to.
        if not arguments.tables and root.is_dir():
            mirror_report(report, root, config.tracking)
    return report


def format_commands(overrides: list[str], multirun: bool, archive: Path | None) -> str:
    """Return the commands that train the sweep and write its report, in a fresh clone.

    Args:
        overrides: those of the report.
        multirun: whether they form a sweep of the user's own.
        archive: the record root if it is an archive, into which nothing can be trained. The
            commands then train into the default root, and draw the report of the archive too.
    """
    options = ["-m"] if multirun else []
    if archive is None:
        trained = overrides
    else:
        trained = [override for override in overrides if not override.startswith(RECORD_ROOT)]
    commands = [SETUP, format_command("train", options, trained)]
    commands.append(format_command("report", options, trained))
    if archive is not None:
        commands.append(f"# or, without training, from {archive.name}:")
        commands.append(format_command("report", options, overrides))
    return "\n".join(commands)


def format_command(script: str, options: list[str], overrides: list[str]) -> str:
    """Return the command line that runs a script of experiments/."""
    return shlex.join([PYTHON, f"experiments/{script}.py", *options, *overrides])


@contextmanager
def exclusive_folder(folder: Path) -> Iterator[Path]:
    """Create a report's folder and hold its lock.

    Without the lock, another process that writes a report of this name would delete the figures of
    this one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with hold(folder / ".lock", NO_TIMEOUT):
        yield folder


def update_index(reports: Path) -> Path:
    """Write the index of all reports and return its path.

    Because of the lock, if several reports end at the same time, the last one lists all of them.
    """
    with hold(reports / INDEX_LOCK, NO_TIMEOUT):
        return write_index(reports)


def mirror_report(report: Report, root: Path, tracking: Tracking) -> None:
    """Send the report to W&B, as a run of job type `analysis`."""
    from degradation.tracking.mirror import mirror_analysis

    headline = pd.DataFrame({"headline": [report.headline]})
    tables = {"headline": headline, "runs": report.runs}
    for number, section in enumerate(report.sections, start=1):
        tables |= section.tables
        if section.summary is not None:
            tables[f"summary-{number}"] = section.summary
    mirror_analysis(tracking, root, report.folder.name, tables, report.figure_paths())


def main() -> int:
    arguments = parse_arguments()
    if arguments.index:
        print(f"Index: {update_index(arguments.reports)}")
        return 0
    if arguments.records:
        announce(report_records(arguments), arguments)
        return 0
    status = 0
    for overrides in split_experiments(arguments.overrides):
        try:
            report = report_sweep(arguments, overrides)
        except NoRecordsError as error:  # other experiments may have records
            print(format_error(error), file=sys.stderr)
            status = 1
        else:
            announce(report, arguments)
    return status


def announce(report: Report, arguments: argparse.Namespace) -> None:
    """Write the index of all reports, and print what was found and where the page is."""
    if arguments.tables:
        print(f"Tables: {report.folder}")
        return
    update_index(arguments.reports)
    print_summary(report, sys.stdout)


if __name__ == "__main__":
    run_script(main)
