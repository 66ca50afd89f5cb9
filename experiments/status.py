"""Print the state of every run of a sweep; overrides as for train.py.

python experiments/status.py experiment=quick
"""

import argparse
from typing import Any

from analysis.frame import load
from degradation.cli import Parser, add_overrides, run_script
from degradation.sweep import jobs


def format_run(row: dict[str, Any]) -> str:
    """Return one line: a run's id, its state, its last iteration, and why it failed."""
    progress = f"iteration {row['iteration']:.0f}" if row.get("iteration", 0) > 0 else ""
    reason = row["reason"] if isinstance(row["reason"], str) else ""
    return f"{row['run_id']:<30} {row['state']:<9} {progress:<16} {reason}".rstrip()


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    runs = jobs.expand_runs(parser.parse_intermixed_args().overrides)
    planned = [jobs.describe_planned_run(run) for run in runs]
    table = load(jobs.find_record_root(runs), planned).runs
    for row in table.to_dict("records"):
        print(format_run(row))
    counts = table["state"].value_counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    print(f"{len(table)} runs: {states}")


if __name__ == "__main__":
    run_script(main)
