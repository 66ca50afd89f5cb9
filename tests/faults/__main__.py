"""`make faults`: a small sweep under a seeded schedule of faults, compared file by file with an undisturbed one.

Every kind of fault has fresh runs of its own, struck at moments that are spread evenly over a run's life (counted in
the calls by which it reaches the disk). A fault is survived where its run ends as the undisturbed one, bit for bit,
nothing is left over, and the sweep did what it promises; else it is lost.
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

from comparison import compare, leftovers
from kinds import KINDS, MIRRORED, unmount
from safeguards import SAFEGUARDS
from sweep import TINY, Lost, NotTried, Trial, ids_of

from degradation.records.record import Record

LANES = 3  # kinds that are tried at once; a sweep waits for its processes more than it computes
COUNT = """
import json, sys
from pathlib import Path
import fault_shim
from degradation.sweep.jobs import expand_runs
from degradation.run import train
runs = dict(zip(["", *fault_shim.COUNTED], expand_runs(sys.argv[1:])))
disk = fault_shim.Disk(next(iter(runs.values())).record.root, {run.run_id: (fault, 0) for fault, run in runs.items()})
disk.install()
for run in runs.values():
    train(run.config)
print(json.dumps({fault: disk.count[run.run_id] for fault, run in runs.items()}))
"""


@dataclass
class Tally:
    kind: str
    asked: int
    injected: int = 0
    lost: list[str] = field(default_factory=list)
    not_tried: str | None = None
    seconds: float = 0.0

    @property
    def row(self) -> list[str | int]:
        return [self.kind, self.injected, max(0, self.injected - len(self.lost)), len(self.lost)]

    @property
    def missing(self) -> int:
        """Faults that were to come and did not: then nothing is known of them."""
        return 0 if self.not_tried else self.asked - self.injected


def calls_of_a_run(folder: Path) -> dict[str, int]:
    """How often a run does what each fault counts; under "" how often it changes the disk."""
    words = [
        *TINY[1:],
        f"seed={','.join(map(str, range(9)))}",
        f"record_root={folder}",
        "tracking=offline",
    ]
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *words],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    counted: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return defaultdict(lambda: counted[""], counted)


def attempt(kind: str, trial: Trial, reference: Path, seeds: list[int]) -> Tally:
    tally, began = Tally(kind, len(seeds)), time.monotonic()
    if kind in MIRRORED:
        trial.tracking = "offline"
    try:
        KINDS[kind](trial, seeds)
        trial.expect(trial.run(seeds), 0)  # the same command once more, undisturbed
    except NotTried as problem:
        tally.not_tried = f"{kind}: {problem}"
        return tally
    except Lost as problem:
        trial.lost.append(str(problem))
    tally.injected = trial.strikes
    for seed in seeds:
        record = trial.record(seed)
        try:
            compare(record, Record(reference, record.run_id))
        except Exception as problem:  # of a record that is lost anything may be raised
            trial.lost.append(str(problem))
    trial.lost += [f"left over: {path}" for path in leftovers(trial.root, trial.ids.values())]
    tally.lost = [f"{kind}: {told}" for told in trial.lost]
    unmount(trial)
    tally.seconds = time.monotonic() - began
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", type=int, default=20, help="faults of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the schedule")
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS], default=[*KINDS], metavar="KIND")
    parser.add_argument("--broken", choices=SAFEGUARDS, help="leave a safeguard out")
    parser.add_argument(
        "--out", type=Path, default=Path("reports/faults"), help="where the table goes"
    )
    given = parser.parse_args()
    _as_root_of_a_namespace()
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    seeds = list(range(given.each))  # the same for each kind, each with a record root of its own
    ids = ids_of(seeds)
    undisturbed = Trial(scratch / "undisturbed", ids)
    start = undisturbed.run(seeds)
    if start.process.returncode != 0:
        print(
            f"the undisturbed sweep ended with {start.process.returncode}:\n{start.told}",
            file=sys.stderr,
        )
        return 1
    calls = calls_of_a_run(scratch / "counted")
    with ThreadPoolExecutor(LANES) as lanes:
        tallies = []
        for kind in given.kinds:
            folder, rng = (
                scratch / kind.replace(" ", "-").replace("/", ""),
                random.Random(f"{given.seed} {kind}"),
            )
            trial = Trial(folder, ids, calls, rng, given.broken)
            tallies.append(lanes.submit(attempt, kind, trial, undisturbed.root, seeds))
        results = [tally.result() for tally in tallies]
    report(results, given.out)
    print(
        f"{calls['']} calls in a run's life; {time.monotonic() - started:.0f} s; table: {given.out / 'faults.csv'}"
    )
    if any(tally.lost or tally.missing for tally in results):
        print(f"the sweeps are kept in {scratch}")
        return 1
    shutil.rmtree(scratch)
    return 0


def _as_root_of_a_namespace() -> None:
    """A user may make a small file system in a namespace of their own, where the system has them."""
    unshare = shutil.which("unshare")
    if os.geteuid() == 0 or unshare is None:
        return
    space = [unshare, "--map-root-user", "--mount"]
    if subprocess.run([*space, "true"], capture_output=True, check=False).returncode == 0:
        os.execv(unshare, [*space, sys.executable, *sys.argv])


def report(tallies: list[Tally], out: Path) -> None:
    head = ["fault", "injected", "survived", "lost"]
    total = ["all", *(sum(int(tally.row[place]) for tally in tallies) for place in (1, 2, 3))]
    rows = [*(tally.row for tally in tallies), total]
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "faults.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    times = [f"{tally.seconds:.0f} s" for tally in tallies]
    for row, seconds in zip([head, *rows], ["", *times, ""], strict=True):
        print(f"{row[0]:<24}{row[1]:>10}{row[2]:>10}{row[3]:>10}{seconds:>10}")
    for tally in tallies:
        for line in tally.lost:
            print(f"lost: {line}")
        if tally.missing:
            print(f"missing: {tally.kind}: {tally.missing} of {tally.asked} faults did not come")
        if tally.not_tried:
            print(f"not tried: {tally.not_tried}")


if __name__ == "__main__":
    sys.exit(main())
