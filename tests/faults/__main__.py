"""`make faults`: compare a small sweep under a seeded schedule of faults with an undisturbed one.

Every kind of fault is injected into fresh runs, at points that are spread evenly over a run's life
(counted in the calls by which it reaches the disk). A run survives a fault if it ends bit for bit
identical to the undisturbed run, leaves nothing behind, and the sweep keeps its guarantees.
Otherwise the run is lost.
"""

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from degradation.records.record import Record
from tests.faults.comparison import compare, list_leftovers
from tests.faults.kinds import KINDS, MIRRORED, unmount
from tests.faults.sweep import REPOSITORY, TINY, Lost, NotTried, Trial, expand_ids
from tests.support.disabled_safeguards import SAFEGUARDS

WORKERS = 3  # kinds that are tried at once; a sweep mostly waits for its processes
COUNT_CALLS = """
import json, sys
from degradation.run import train
from degradation.sweep.runs import expand_runs
from tests.support.fault_shim import COUNTED, FaultyDisk
runs = dict(zip(["", *COUNTED], expand_runs(sys.argv[1:])))
injections = {run.run_id: (fault, 0) for fault, run in runs.items()}
disk = FaultyDisk(runs[""].record.root, injections)
disk.install()
for run in runs.values():
    train(run.config)
print(json.dumps({fault: disk.count[run.run_id] for fault, run in runs.items()}))
"""


@dataclass
class Tally:
    """The result of one kind of fault."""

    kind: str
    requested: int
    injected: int = 0
    lost: list[str] = field(default_factory=list)  # broken guarantees
    not_tried: str | None = None
    seconds: float = 0.0

    @property
    def row(self) -> list[str | int]:
        survived = max(0, self.injected - len(self.lost))
        return [self.kind, self.injected, survived, len(self.lost)]

    @property
    def missing(self) -> int:
        """How many requested faults were not injected: nothing is known about them."""
        return 0 if self.not_tried else self.requested - self.injected


def count_calls(folder: Path) -> dict[str, int]:
    """Return how many calls of a whole run are counted for each fault.

    For a fault that is not listed, and under "", these are the calls that change the disk.
    """
    overrides = [
        *TINY[1:],
        f"seed={','.join(map(str, range(9)))}",
        f"record_root={folder}",
        "tracking=offline",
    ]
    process = subprocess.run(
        [sys.executable, "-c", COUNT_CALLS, *overrides],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    counts: dict[str, int] = json.loads(process.stdout.splitlines()[-1])
    return defaultdict(lambda: counts[""], counts)


def try_kind(kind: str, trial: Trial, reference: Path, seeds: list[int]) -> Tally:
    """Inject faults of one kind, and compare the runs with those under `reference`."""
    tally = Tally(kind, len(seeds))
    started = time.monotonic()
    if kind in MIRRORED:
        trial.tracking = "offline"
    try:
        KINDS[kind](trial, seeds)
        trial.expect_exit(trial.run(seeds), 0)  # once more, undisturbed
    except NotTried as reason:
        tally.not_tried = f"{kind}: {reason}"
        return tally
    except Lost as problem:
        trial.lost.append(str(problem))
    tally.injected = trial.count_injections()
    for seed in seeds:
        record = trial.record(seed)
        try:
            compare(record, Record(reference, record.run_id))
        except Exception as problem:  # a lost record may raise anything
            trial.lost.append(str(problem))
    leftovers = list_leftovers(trial.root, trial.ids.values())
    trial.lost += [f"left behind: {path}" for path in leftovers]
    tally.lost = [f"{kind}: {problem}" for problem in trial.lost]
    unmount(trial)
    tally.seconds = time.monotonic() - started
    return tally


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", type=int, default=20, help="faults of each kind")
    parser.add_argument("--seed", type=int, default=0, help="seed of the schedule")
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS], default=[*KINDS], metavar="KIND")
    parser.add_argument(
        "--disable-safeguard", choices=SAFEGUARDS, help="disable this safeguard on purpose"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/faults"), help="folder of faults.csv"
    )
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    _enter_namespace()
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    seeds = list(range(arguments.each))  # the same for each kind, in a record root of its own
    ids = expand_ids(seeds)
    undisturbed = Trial(scratch / "undisturbed", ids)
    start = undisturbed.run(seeds)
    if start.process.returncode != 0:
        code = start.process.returncode
        print(f"the undisturbed sweep exited with {code}:\n{start.output}", file=sys.stderr)
        return 1
    calls = count_calls(scratch / "counted")
    with ThreadPoolExecutor(WORKERS) as workers:
        futures = []
        for kind in arguments.kinds:
            folder = scratch / kind.replace(" ", "-").replace("/", "")
            rng = random.Random(f"{arguments.seed} {kind}")
            trial = Trial(folder, ids, calls, rng, arguments.disable_safeguard)
            futures.append(workers.submit(try_kind, kind, trial, undisturbed.root, seeds))
        tallies = [future.result() for future in futures]
    report(tallies, arguments.out)
    seconds = time.monotonic() - started
    table = arguments.out / "faults.csv"
    print(f"{calls['']} calls in a run's life; {seconds:.0f} s; table: {table}")
    if any(tally.lost or tally.missing for tally in tallies):
        print(f"the sweeps remain in {scratch}")
        return 1
    shutil.rmtree(scratch)
    return 0


def _enter_namespace() -> None:
    """Become root of a user namespace, where the system allows it, to mount a small file system."""
    unshare = shutil.which("unshare")
    if os.geteuid() == 0 or unshare is None:
        return
    command = [unshare, "--map-root-user", "--mount"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
        os.execv(unshare, [*command, sys.executable, *sys.argv])


def report(tallies: list[Tally], out: Path) -> None:
    """Write faults.csv, and print the table and every problem."""
    header = ["fault", "injected", "survived", "lost"]
    total = ["all", *(sum(int(tally.row[column]) for tally in tallies) for column in (1, 2, 3))]
    rows = [*(tally.row for tally in tallies), total]
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "faults.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    times = [f"{tally.seconds:.0f} s" for tally in tallies]
    for row, seconds in zip([header, *rows], ["", *times, ""], strict=True):
        print(f"{row[0]:<24}{row[1]:>10}{row[2]:>10}{row[3]:>10}{seconds:>10}")
    for tally in tallies:
        for line in tally.lost:
            print(f"lost: {line}")
        if tally.missing:
            counts = f"{tally.missing} of {tally.requested}"
            print(f"missing: {tally.kind}: {counts} faults were not injected")
        if tally.not_tried:
            print(f"not tried: {tally.not_tried}")


if __name__ == "__main__":
    sys.exit(main())
