"""Every run of a grid with its state. The same words as train.py takes: experiment=NAME, key=value, -m."""

from analysis.frame import load
from degradation.cli import Parser, run_script
from degradation.sweep import jobs


def main() -> None:
    parser = Parser(description=__doc__)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit"
    )
    runs = jobs.expand_runs(parser.parse_intermixed_args().overrides)
    table = load(jobs.find_record_root(runs), [jobs.describe_planned_run(run) for run in runs]).runs
    for row in table.to_dict("records"):
        reached = f"iteration {row['iteration']:.0f}" if row.get("iteration", 0) > 0 else ""
        reason = row["reason"] if isinstance(row["reason"], str) else ""
        print(f"{row['run_id']:<30} {row['state']:<9} {reached:<16} {reason}".rstrip())
    states = table["state"].value_counts()
    print(f"{len(table)} runs: {', '.join(f'{count} {state}' for state, count in states.items())}")


if __name__ == "__main__":
    run_script(main)
