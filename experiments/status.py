"""Print the state of every run of a sweep, and where its report is; overrides as for train.py.

python experiments/status.py experiment=quick
"""

import argparse
from collections import Counter
from typing import Any

from analysis.code_notes import describe_published_runs, describe_unverified_runs
from analysis.columns import CODE_CHANGE, CODE_STATE
from analysis.frame import load
from degradation.cli import Parser, add_overrides, run_script
from degradation.counting import format_count
from degradation.records.trained_code import CodeState
from degradation.sweep.planned_runs import describe_planned_runs
from degradation.sweep.report_pages import list_pages
from degradation.sweep.runs import expand_runs, find_record_root, note_missing_root


def format_run(row: dict[str, Any]) -> str:
    """Return one line: a run's id, its state, its last iteration, and why it failed."""
    progress = f"iteration {row['iteration']:.0f}" if row.get("iteration", 0) > 0 else ""
    explanations = [row["reason"], row[CODE_CHANGE]]
    reason = ": ".join(text for text in explanations if isinstance(text, str))
    return f"{row['run_id']:<30} {describe_state(row):<9} {progress:<16} {reason}".rstrip()


def describe_state(row: dict[str, Any]) -> str:
    """Return the state of a run, or `outdated` if the current code produces different numbers."""
    return str(row[CODE_STATE] if row[CODE_STATE] == CodeState.OUTDATED else row["state"])


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    overrides = parser.parse_intermixed_args().overrides
    runs = expand_runs(overrides)
    root = find_record_root(runs)
    note_missing_root(overrides, root)
    planned = describe_planned_runs(runs)
    table = load(root, planned, with_probes=False).runs
    rows = table.to_dict("records")
    for row in rows:
        print(format_run(row))
    counts = Counter(map(describe_state, rows))
    states = ", ".join(f"{count} {state}" for state, count in counts.most_common())
    for page in list_pages(overrides, runs):
        if page.exists():
            print(f"Report: {page}")
    print(f"{format_count(len(table), 'run')}: {states}")
    for note in describe_unverified_runs(table) + describe_published_runs(table):
        print(note)


if __name__ == "__main__":
    run_script(main)
