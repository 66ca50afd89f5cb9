"""Time and memory of status.py, report.py and pull.py against the number of runs, by generated records.

They may grow as the number of runs does, and by 20 % more. The report of 10,000 runs has 30 s, or 60 s with probes.
pull.py asks a stand-in for W&B's server on this machine, whose time is in it. What is written: a line a command and
size, wall time in seconds and largest resident memory in MB.
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

from tests.growth.records import NAME, overrides, seeds, write
from tests.growth.served import served

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
COMMANDS = ("status", "report", "pull")
SLACK = 1.2
LARGEST = 10_000
REPORT_SECONDS, PROBED_REPORT_SECONDS = 30.0, 60.0  # the report of so many runs takes no longer
# getrusage tells of the largest child that has ended, so that each command is the only child of a process
MEASURE = """
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)
"""


@dataclass(frozen=True)
class Row:
    command: str
    runs: int
    wall_seconds: float
    peak_resident_mb: float


def measure(command: str, root: Path, runs: int) -> Row:
    words = {
        "status": overrides(root, runs),
        "report": [*overrides(root, runs), "--reports", str(root.parent / "reports")],
        "pull": [
            f"record_root={root}",
            "tracking=online",
            "--into",
            str(root.parent / f"pulled-{runs}"),
        ],
    }
    measured = [sys.executable, str(EXPERIMENTS / f"{command}.py"), *words[command]]
    with served(root, NAME) if command == "pull" else nullcontext({}) as environment:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, *measured],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | environment,
        )
    seconds, peak = map(float, done.stdout.split())
    return Row(command, runs, round(seconds, 2), round(peak, 1))


def problems(rows: list[Row], allowed: float) -> list[str]:
    """What has grown faster than the number of runs, or takes too long. `allowed`: seconds for the largest report."""
    told = []
    for command in COMMANDS:
        of_command = sorted(
            (row for row in rows if row.command == command), key=lambda row: row.runs
        )
        for fewer, more in pairwise(of_command):
            times = more.runs / fewer.runs
            told += [
                f"{command}: {name} grew {after / before:.1f} times from {fewer.runs} to {more.runs} runs"
                for name, before, after in (
                    ("time", fewer.wall_seconds, more.wall_seconds),
                    ("memory", fewer.peak_resident_mb, more.peak_resident_mb),
                ) if after > before * times * SLACK
            ]  # fmt: skip
        told += [
            f"{command}: {row.wall_seconds:.1f} s for {row.runs} runs; allowed: {allowed:g} s"
            for row in of_command
            if command == "report" and row.runs == LARGEST and row.wall_seconds > allowed
        ]
    return told


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, nargs="+", default=[100, 1000, 10_000], help="sizes of the ledger"
    )
    parser.add_argument("--probes", action="store_true", help="records with tables of two probes")
    parser.add_argument(
        "--out", type=Path, default=Path("reports/growth"), help="where growth.csv goes"
    )
    given = parser.parse_args()
    for runs in given.runs:
        seeds(runs)  # refused before anything is written
    scratch = Path(tempfile.mkdtemp(prefix="growth-"))
    rows = []
    print("".join(f"{field.name:<18}" for field in fields(Row)).rstrip())
    try:
        for runs in sorted(given.runs):
            root = scratch / f"runs-{runs}"
            write(root, runs, given.probes)
            for command in COMMANDS:
                rows.append(measure(command, root, runs))
                print("".join(f"{value!s:<18}" for value in astuple(rows[-1])).rstrip(), flush=True)
            for folder in scratch.iterdir():
                shutil.rmtree(folder)
    finally:
        shutil.rmtree(scratch)
    given.out.mkdir(parents=True, exist_ok=True)
    with open(given.out / "growth.csv", "w", newline="") as file:
        head = [field.name for field in fields(Row)]
        csv.writer(file, lineterminator="\n").writerows([head, *map(astuple, rows)])
    told = problems(rows, PROBED_REPORT_SECONDS if given.probes else REPORT_SECONDS)
    for line in told:
        print(line)
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
