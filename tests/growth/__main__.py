"""`make growth`: time and memory of status.py, report.py and pull.py for many generated runs.

Both may grow by 20 % more than the number of runs. A report of 10,000 runs may take 30 s, or 60 s
with probes. pull.py reads from a stand-in for W&B's server in this process, whose time is
included. The table has one row per command and number of runs: wall time in seconds, and largest
resident memory in MB.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from tests.growth.records import NAME, count_seeds, list_overrides, write_records
from tests.growth.served import serve_records

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
COMMANDS = ("status", "report", "pull")
ALLOWED_GROWTH = 1.2  # relative to the growth of the number of runs
LARGEST = 10_000  # runs
REPORT_LIMIT_S, PROBED_REPORT_LIMIT_S = (
    30.0,
    60.0,
)  # for the largest number of runs
# getrusage reports the largest child that has ended, so each command is the only child of a
# process.
MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


@dataclass(frozen=True)
class Row:
    """One measurement."""

    command: str
    runs: int
    wall_seconds: float
    peak_resident_mb: float


def measure(command: str, root: Path, runs: int) -> Row:
    """Run a command on the records under a root, and measure its time and memory."""
    arguments = {
        "status": list_overrides(root, runs),
        "report": [*list_overrides(root, runs), "--reports", str(root.parent / "reports")],
        "pull": [
            f"record_root={root}",
            "tracking=online",
            "--into",
            str(root.parent / f"pulled-{runs}"),
        ],
    }
    measured = [sys.executable, str(EXPERIMENTS / f"{command}.py"), *arguments[command]]
    with serve_records(root, NAME) if command == "pull" else nullcontext({}) as environment:
        process = subprocess.run(
            [sys.executable, "-c", MEASURE, *measured],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | environment,
        )
    seconds, peak = map(float, process.stdout.split())
    return Row(command, runs, round(seconds, 2), round(peak, 1))


def find_problems(rows: list[Row], report_limit_s: float) -> list[str]:
    """Return one line for each measurement that has grown too fast or takes too long.

    Args:
        rows: the measurements.
        report_limit_s: how many seconds the report of the largest number of runs may take.
    """
    problems = []
    for command in COMMANDS:
        measured = [row for row in rows if row.command == command]
        measured.sort(key=lambda row: row.runs)
        for fewer, more in pairwise(measured):
            problems += _find_growth(fewer, more)
    for row in rows:
        is_limited = row.command == "report" and row.runs == LARGEST
        if is_limited and row.wall_seconds > report_limit_s:
            problems.append(
                f"report: {row.wall_seconds:.1f} s for {row.runs} runs;"
                f" allowed: {report_limit_s:g} s"
            )
    return problems


def _find_growth(fewer: Row, more: Row) -> list[str]:
    """Return what has grown faster than the number of runs between two measurements."""
    allowed = ALLOWED_GROWTH * more.runs / fewer.runs
    pairs = {
        "time": (fewer.wall_seconds, more.wall_seconds),
        "memory": (fewer.peak_resident_mb, more.peak_resident_mb),
    }
    return [
        f"{more.command}: {name} grew {after / before:.1f} times"
        f" from {fewer.runs} to {more.runs} runs"
        for name, (before, after) in pairs.items()
        if after > before * allowed
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, nargs="+", default=[100, 1000, 10_000], help="numbers of runs"
    )
    parser.add_argument("--probes", action="store_true", help="records with tables of two probes")
    parser.add_argument(
        "--out", type=Path, default=Path("reports/growth"), help="folder of growth.csv"
    )
    arguments = parser.parse_args()
    for runs in arguments.runs:
        count_seeds(runs)  # raises before anything is written
    scratch = Path(tempfile.mkdtemp(prefix="growth-"))
    rows = []
    print("".join(f"{field.name:<18}" for field in fields(Row)).rstrip())
    try:
        for runs in sorted(arguments.runs):
            root = scratch / f"runs-{runs}"
            write_records(root, runs, arguments.probes)
            for command in COMMANDS:
                rows.append(measure(command, root, runs))
                print("".join(f"{value!s:<18}" for value in astuple(rows[-1])).rstrip(), flush=True)
            for folder in scratch.iterdir():
                shutil.rmtree(folder)
    finally:
        shutil.rmtree(scratch)
    arguments.out.mkdir(parents=True, exist_ok=True)
    with open(arguments.out / "growth.csv", "w", newline="") as file:
        header = [field.name for field in fields(Row)]
        csv.writer(file, lineterminator="\n").writerows([header, *map(astuple, rows)])
    limit = PROBED_REPORT_LIMIT_S if arguments.probes else REPORT_LIMIT_S
    problems = find_problems(rows, limit)
    for line in problems:
        print(line)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
