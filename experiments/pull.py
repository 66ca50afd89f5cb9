"""Bring the runs of a W&B entity and project into records, and tell where they differ from those trained here.

python experiments/pull.py tracking.entity=me tracking.project=resnet-degradation
python experiments/pull.py tracking.entity=me --group quick --into pulled
python experiments/report.py --records pulled

Weights and probes are not pulled: claims and error curves need neither. The status is 1 where a run is not whole.
"""

import argparse
from pathlib import Path

from degradation.cli import Parser, run_script
from degradation.config.errors import escape
from degradation.errors import UserError
from degradation.sweep.expand import expand_configs
from degradation.tracking.pull import PullResult, connect
from degradation.tracking.pulled_record import compare_with_record
from degradation.tracking.wandb_process import WandbError


class NotPulled(UserError):
    """Why no more can be pulled, in one line."""


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "overrides", nargs="*", help="as for train.py; of them tracking and record_root are used"
    )
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit"
    )
    parser.add_argument(
        "--group", help="only the runs of this W&B group, which is the experiment's name"
    )
    parser.add_argument(
        "--into", type=Path, default=Path("pulled"), help="the record root to pull into: pulled"
    )
    parser.add_argument(
        "--compare", type=Path, help="the record root to compare with: record_root, where it exists"
    )
    return parser.parse_intermixed_args()


def main() -> int:
    given = arguments()
    config = expand_configs(given.overrides)[0]
    local = given.compare or Path(config.record_root)
    if given.compare is None and (not local.exists() or local.resolve() == given.into.resolve()):
        local = None
    done: list[PullResult] = []
    comparisons: list[str] = []
    try:
        with connect(config.tracking, given.into) as project:
            listing = project.list_runs(given.group)
            for refused in listing.refused:
                tell(refused, "")
                done.append(refused)
            for run_id, copies in listing.copies.items():
                pulled = project.pull(run_id, copies)
                comparison = (
                    compare_with_record(local, run_id, pulled.contents)
                    if local and pulled.contents
                    else ""
                )
                tell(pulled, comparison)
                done.append(PullResult(run_id, pulled.message, pulled.is_complete))
                comparisons.append(comparison)
    except WandbError as problem:
        raise NotPulled(f"W&B: {problem}") from None
    whole = sum(one.is_complete for one in done)
    print(
        f"{len(done)} runs: {whole} complete in {given.into}, {len(done) - whole} not{counted(comparisons, local)}"
    )
    return 0 if whole == len(done) else 1


def tell(pulled: PullResult, comparison: str) -> None:
    told = f"{pulled.run_id:<34} {'; '.join(filter(None, (pulled.message, comparison)))}"
    print(escape(told), flush=True)


def counted(comparisons: list[str], local: Path | None) -> str:
    if local is None:
        return ""
    equal, missing = (
        sum(one.startswith(how) for one in comparisons) for how in ("equal", "not in")
    )
    others = sum(map(bool, comparisons)) - equal - missing
    return f"; compared with {local}: {equal} equal, {others} different or corrupt, {missing} not there"


if __name__ == "__main__":
    run_script(main)
