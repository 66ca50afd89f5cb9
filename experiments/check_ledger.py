"""Draw the ledger's figures and tables from its published records, and name those that differ.

python experiments/check_ledger.py                   # all entries with a records.zip
python experiments/check_ledger.py quick --write     # replace what differs by what was drawn

An entry of the ledger is a folder named after an experiment, or after a set of records that
publish.py has published with --records, which may be runs of an experiment on other images. What
belongs to it is what is committed there; `--new` adds what the report has beyond that. On one
machine the files are equal byte for byte. On another, the versions of fonts and libraries may
change figures: `--tables` compares only the tables. The exit status is 1 if a file differs.

The ledger's text, README.md beside the folder of the entries, has tables of verdicts between
markers (analysis/ledger_tables.py). They are compared and written like the files.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from analysis.ledger_tables import fill_tables
from analysis.report_json import read_summary
from degradation.cli import Parser, run_script
from degradation.config import CONF
from degradation.config.errors import ConfigError, quote
from degradation.counting import format_count
from degradation.durable_io import write_atomically
from degradation.errors import UserError
from degradation.records.root import list_run_ids
from degradation.sweep.runs import expand_runs

LEDGER = Path("experiments/ledger")
ARCHIVE = "records.zip"
EXPERIMENTS = CONF / "experiment"
REPORT = Path(__file__).with_name("report.py")
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
TABLE_SUFFIX = ".csv"
# How a file of an entry and the report's file of this name are related
DIFFERS, NOT_DRAWN, NEW = "differs", "is not in the report", "is new"
TEXT = "README.md"  # beside the folder of the entries
WRITTEN_BY_POWER = "times.csv"  # a table that power.py writes into an entry


class NoReport(UserError):
    """The report of an entry could not be written."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="entries; default: all with a records.zip")
    parser.add_argument("--write", action="store_true", help="replace the files that differ")
    parser.add_argument("--new", action="store_true", help="with --write: also add new files")
    parser.add_argument("--tables", action="store_true", help="compare only the tables")
    parser.add_argument("--ledger", type=Path, default=LEDGER, help="folder of the entries")
    arguments = parser.parse_args()
    if arguments.new and not arguments.write:
        raise ConfigError("--new: is not allowed without --write")
    return arguments


def find_entries(ledger: Path, names: list[str]) -> list[Path]:
    """Return the folders of the entries with these names, or of all. Raises ConfigError."""
    entries = [path.parent for path in sorted(ledger.glob(f"*/{ARCHIVE}"))]
    known = [entry.name for entry in entries]
    for name in names:
        if name not in known:
            allowed = ", ".join(known) or "none, since no records are published yet"
            raise ConfigError(f"names: {quote(name)} is not allowed; allowed: {allowed}")
    return [entry for entry in entries if not names or entry.name in names]


def holds_experiment(entry: Path) -> bool:
    """Return whether all records of an entry are runs of the experiment of its name.

    They may be runs of that experiment on other images, whose ids need these images.
    """
    if not EXPERIMENTS.joinpath(f"{entry.name}.yaml").exists():
        return False
    published = set(list_run_ids(entry / ARCHIVE))
    runs = expand_runs([f"experiment={entry.name}", "tracking=disabled"])
    return bool(published) and published <= {run.run_id for run in runs}


def draw(entry: Path, folder: Path, *, only_tables: bool) -> Path:
    """Write the report of an entry's records and return its folder. Raises NoReport."""
    command = [sys.executable, str(REPORT), f"--reports={folder}"]
    if only_tables:
        command.append("--tables")
    if holds_experiment(entry):
        command += ["tracking=disabled", f"experiment={entry.name}"]
        command += [f"record_root={entry / ARCHIVE}"]
    else:
        command += ["--records", str(entry / ARCHIVE), "--name", entry.name]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if completed.returncode != 0:
        lines = completed.stderr.strip().splitlines() or ["the report failed"]
        raise NoReport(f"{entry.name}: {lines[-1]}")
    (report,) = [path for path in folder.iterdir() if path.is_dir()]
    return report


def compare(entry: Path, report: Path, *, with_figures: bool) -> dict[str, str]:
    """Return DIFFERS, NOT_DRAWN or NEW for each file that is not equal in both, by name."""
    suffixes = (TABLE_SUFFIX, *FIGURE_SUFFIXES) if with_figures else (TABLE_SUFFIX,)
    committed = {path.name for path in entry.iterdir() if path.suffix in suffixes}
    committed.discard(WRITTEN_BY_POWER)
    drawn = {path.name for path in report.iterdir() if path.suffix in suffixes}
    differences = {}
    for name in sorted(committed | drawn):
        if name not in drawn:
            differences[name] = NOT_DRAWN
        elif name not in committed:
            differences[name] = NEW
        elif (entry / name).read_bytes() != (report / name).read_bytes():
            differences[name] = DIFFERS
    return differences


def update(entry: Path, report: Path, differences: dict[str, str], *, adds_new: bool) -> None:
    """Replace the files that differ, and add new ones if requested; nothing is removed."""
    for name, difference in differences.items():
        if difference == DIFFERS or (difference == NEW and adds_new):
            write_atomically(entry / name, (report / name).read_bytes())


def check_text(text: Path, entry: Path, report: Path, *, writes: bool) -> list[str]:
    """Return a line if the verdicts of an entry differ in the ledger's text, or no line."""
    if not text.exists():
        return []
    old = text.read_text(encoding="utf-8")
    new = fill_tables(old, entry.name, read_summary(report))
    if new == old:
        return []
    if writes:
        write_atomically(text, new.encode())
    return [f"{text}: the table of verdicts of {entry.name} {DIFFERS}"]


def check_entry(entry: Path, arguments: argparse.Namespace) -> int:
    """Print which files of an entry differ from its records, and return their number."""
    with tempfile.TemporaryDirectory() as folder:
        report = draw(entry, Path(folder), only_tables=arguments.tables)
        differences = compare(entry, report, with_figures=not arguments.tables)
        if arguments.write:
            update(entry, report, differences, adds_new=arguments.new)
        text = arguments.ledger.parent / TEXT
        lines = check_text(text, entry, report, writes=arguments.write)
    reported = (
        differences
        if arguments.new
        else {name: difference for name, difference in differences.items() if difference != NEW}
    )
    lines += [f"{entry / name}: {difference}" for name, difference in reported.items()]
    for line in lines:
        print(line)
    return len(lines)


def main() -> int:
    arguments = parse_arguments()
    entries = find_entries(arguments.ledger, arguments.names)
    count = sum(check_entry(entry, arguments) for entry in entries)
    published = format_count(len(entries), "entry", "entries")
    differing = format_count(count, "file differs", "files differ")
    print(f"{published} with published records: {differing}")
    return 1 if count and not arguments.write else 0


if __name__ == "__main__":
    run_script(main)
