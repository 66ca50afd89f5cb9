"""Send W&B what it lacks of the records of a sweep's runs; overrides as for train.py.

python experiments/sync.py experiment=quick tracking.entity=me

The exit status is 1 if a W&B run is not complete on the server, or if no run has a record.
"""

import argparse

from degradation.cli import Parser, add_overrides, run_script
from degradation.errors import UserError
from degradation.sweep.jobs import check_record_root_is_folder
from degradation.sweep.runs import SweepRun, expand_runs, find_record_root
from degradation.tracking.sync import SyncResult, connect
from degradation.tracking.wandb_process import WandbError


class SyncAborted(UserError):
    """Nothing more can be sent to W&B; the message says why."""


def sync_runs(runs: list[SweepRun]) -> list[SyncResult]:
    """Send W&B what it lacks, and print one line per W&B run. Raises SyncAborted."""
    results = []
    check_record_root_is_folder(runs[0].config)
    try:
        with connect(runs[0].config.tracking, find_record_root(runs)) as server:
            for run in runs:
                for synced in server.sync(run.config, run.record):
                    print(f"{synced.name:<34} {synced.message}", flush=True)
                    results.append(synced)
            missing = sum(not run.record.folder.exists() for run in runs)
            if missing:
                print(f"{missing} of {len(runs)} runs have no record in {find_record_root(runs)}")
    except WandbError as error:
        raise SyncAborted(f"W&B: {error}") from None
    return results


def main() -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    results = sync_runs(expand_runs(parser.parse_intermixed_args().overrides))
    complete = sum(result.is_complete for result in results)
    incomplete = len(results) - complete
    print(f"{len(results)} W&B runs: {complete} complete on the server, {incomplete} incomplete")
    return 1 if incomplete or not results else 0


if __name__ == "__main__":
    run_script(main)
