"""Copy the runs of a W&B project into records, and compare them with the local ones.

python experiments/pull.py tracking.entity=me tracking.project=resnet-degradation
python experiments/pull.py experiment=quick seed=0 tracking.entity=me
python experiments/pull.py tracking.entity=me --group quick --into pulled
python experiments/report.py --records pulled

With an experiment, only its runs are pulled. Weights and probes are not pulled: claims and error
curves need neither. The exit status is 1 unless every run is complete.
"""

import argparse
from collections import Counter
from pathlib import Path

from degradation.cli import Parser, add_overrides, run_script
from degradation.config import ConfigError
from degradation.config.errors import escape
from degradation.counting import format_count
from degradation.errors import UserError
from degradation.sweep.expand import expand_configs
from degradation.sweep.runs import expand_runs
from degradation.tracking.pull import PullResult, connect
from degradation.tracking.pulled_record import compare_with_record
from degradation.tracking.wandb_process import WandbError


class PullAborted(UserError):
    """Reading from W&B failed; the message says why."""


def parse_arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser, note="; without an experiment, only tracking and record_root are allowed")
    parser.add_argument(
        "--group",
        help="pull only the runs in this W&B group, which is the name of the experiment that first"
        " sent them; experiments that share runs need experiment=NAME instead",
    )
    parser.add_argument(
        "--into",
        type=Path,
        default=Path("pulled"),
        help="record root to pull into; default: pulled",
    )
    parser.add_argument(
        "--compare", type=Path, help="record root to compare with; default: record_root"
    )
    return parser.parse_intermixed_args()


def list_selected_ids(overrides: list[str]) -> list[str] | None:
    """Return the ids of the experiment's runs, or None if no experiment selects any.

    Raises ConfigError if other keys select runs of no experiment.
    """
    keys = [override.lstrip("+~").partition("=")[0] for override in overrides]
    if "experiment" in keys:
        return [run.run_id for run in expand_runs(overrides)]
    for key in keys:
        if key != "record_root" and key.partition(".")[0] != "tracking":
            raise ConfigError(
                f"{key}: selects runs of no experiment; allowed: experiment=NAME beside it, or only"
                " tracking and record_root, which pulls every run of the project"
            )
    return None


def find_local_root(arguments: argparse.Namespace, record_root: Path) -> Path | None:
    """Return the record root to compare with, or None if there is none."""
    if arguments.compare is not None:
        return Path(arguments.compare)
    is_target = record_root.resolve() == arguments.into.resolve()
    return record_root if record_root.exists() and not is_target else None


def print_run(pulled: PullResult, comparison: str) -> None:
    messages = [message for message in (pulled.message, comparison) if message]
    print(escape(f"{pulled.run_id:<34} {'; '.join(messages)}"), flush=True)


def summarise_comparisons(comparisons: list[str], local: Path) -> str:
    counts: Counter[str] = Counter()
    for comparison in comparisons:
        if comparison.startswith("equal"):
            counts["equal"] += 1
        elif comparison.startswith("not in"):
            counts["missing"] += 1
        elif comparison:
            counts["other"] += 1
    return (
        f"compared with {local}: {counts['equal']} equal,"
        f" {counts['other']} different or corrupt, {counts['missing']} missing"
    )


def main() -> int:
    arguments = parse_arguments()
    config = expand_configs(arguments.overrides)[0]
    selected = list_selected_ids(arguments.overrides)
    local = find_local_root(arguments, Path(config.record_root))
    complete_flags: list[bool] = []  # one flag per run; the rows are discarded to save memory
    comparisons: list[str] = []
    try:
        with connect(config.tracking, arguments.into) as project:
            listing = project.list_runs(arguments.group)
            if selected is not None:
                listing = listing.select(selected)
            for rejected in listing.rejected:
                print_run(rejected, "")
                complete_flags.append(rejected.is_complete)
            for run_id, copies in listing.copies.items():
                pulled = project.pull(run_id, copies)
                comparison = ""
                if local is not None and pulled.contents is not None:
                    comparison = compare_with_record(local, run_id, pulled.contents)
                print_run(pulled, comparison)
                complete_flags.append(pulled.is_complete)
                comparisons.append(comparison)
    except WandbError as error:
        raise PullAborted(f"W&B: {error}") from None
    complete = sum(complete_flags)
    incomplete = len(complete_flags) - complete
    counts = f"{complete} complete in {arguments.into}, {incomplete} incomplete"
    summary = f"{format_count(len(complete_flags), 'run')}: {counts}"
    if local is not None:
        summary += f"; {summarise_comparisons(comparisons, local)}"
    print(summary)
    return 1 if incomplete else 0


if __name__ == "__main__":
    run_script(main)
