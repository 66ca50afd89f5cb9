"""Send W&B what it lacks of a grid's runs, from their records. The same words as train.py takes.

python experiments/sync.py experiment=quick tracking.entity=me
"""

import argparse

from degradation.cli import Parser, run_script
from degradation.errors import UserError
from degradation.sweep import jobs
from degradation.tracking.sync import SyncResult, connect
from degradation.tracking.wandb_process import WandbError


class NotSynced(UserError):
    """Why no more can be sent, in one line."""


def main() -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "overrides",
        nargs="*",
        help="as for train.py: experiment=NAME, key=value, key=value1,value2",
    )
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="accepted, so that train.py's words fit"
    )
    runs = jobs.expand_runs(parser.parse_intermixed_args().overrides)
    told: list[SyncResult] = []
    try:
        with connect(runs[0].config.tracking, jobs.find_record_root(runs)) as server:
            for run in runs:
                for synced in server.sync(run.config, run.record):
                    print(f"{synced.name:<34} {synced.message}", flush=True)
                    told.append(synced)
    except WandbError as problem:
        raise NotSynced(f"W&B: {problem}") from None
    whole = sum(synced.is_complete for synced in told)
    print(f"{len(told)} W&B runs: {whole} complete on the server, {len(told) - whole} not")
    return 0 if whole == len(told) else 1


if __name__ == "__main__":
    run_script(main)
