"""`make faults`: a small sweep under a seeded schedule of faults, compared file by file with an undisturbed one.

Every kind of fault has fresh runs of its own, struck at moments that are spread evenly over a run's life (counted in
the calls by which it reaches the disk). A fault is survived where its run ends as the undisturbed one, bit for bit,
nothing is left over, and the sweep did what it promises; else it is lost.
"""

import argparse
import csv
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from kinds import KINDS, RUNS_EACH, unmount
from sweep import TINY, Lost, NotTried, Trial, compare, ids_of

from degradation.records.store import Record

LANES = 3  # kinds that are tried at once; a sweep waits for its processes more than it computes
COUNT = """
import sys
from pathlib import Path
import fault_shim
from degradation.grid import expand
from degradation.run import train
(run,) = expand(sys.argv[1:])
disk = fault_shim.Disk(run.record.root, {})
disk.install()
train(run.config)
print(disk.count[run.run_id])
"""


@dataclass
class Tally:
    kind: str
    injected: int = 0
    lost: list[str] = field(default_factory=list)
    not_tried: str | None = None

    @property
    def row(self) -> list[str | int]:
        return [self.kind, self.injected, max(0, self.injected - len(self.lost)), len(self.lost)]


def calls_of_a_run(folder: Path) -> int:
    """How often a run reaches the disk."""
    words = [*TINY[1:], "seed=0", f"record_root={folder}", "tracking=disabled"]
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[-1])


def spread(count: int, calls: int, rng: random.Random) -> list[int]:
    """One call in each of `count` equal parts of a run's life."""
    return [1 + int((place + rng.random()) / count * calls) for place in range(count)]


def attempt(kind: str, trial: Trial, reference: Path, seeds: list[int], calls: int, rng: random.Random) -> Tally:
    tally = Tally(kind)
    if kind == "wandb-core killed":
        trial.tracking = "offline"
    try:
        KINDS[kind](trial, seeds, spread(len(seeds), calls, rng), rng)
        trial.expect(trial.run(seeds), 0)  # the same command once more, undisturbed
    except NotTried as problem:
        tally.not_tried = f"{kind}: {problem}"
        return tally
    except (Lost, subprocess.TimeoutExpired) as problem:
        trial.lost.append(str(problem))
    tally.injected = trial.strikes()
    for seed in seeds:
        record = trial.record(seed)
        try:
            compare(record, Record(reference, record.run_id))
        except Exception as problem:  # of a record that is lost anything may be raised
            trial.lost.append(str(problem))
    tally.lost = [f"{kind}: {told}" for told in trial.lost]
    unmount(trial.folder)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=20, help="faults of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the schedule")
    parser.add_argument("--kinds", nargs="*", choices=[*KINDS], default=[*KINDS], metavar="KIND")
    parser.add_argument("--broken", choices=["checksum", "lock", "fsync", "torn rows"], help="leave a safeguard out")
    parser.add_argument("--out", type=Path, default=Path("reports/faults"), help="where the table goes")
    given = parser.parse_args()
    _as_root_of_a_namespace()
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    seeds = {
        kind: list(range(1000 * place, 1000 * place + given.each * RUNS_EACH.get(kind, 1)))
        for place, kind in enumerate(KINDS, start=1)
        if kind in given.kinds
    }
    everyone = [seed for part in seeds.values() for seed in part]
    ids = ids_of(everyone)
    undisturbed = Trial(scratch / "undisturbed", ids)
    if (code := undisturbed.run(everyone)) != 0:
        print(f"the undisturbed sweep ended with {code}:\n{undisturbed.told()}", file=sys.stderr)
        return 1
    calls = calls_of_a_run(scratch / "counted")
    with ThreadPoolExecutor(LANES) as lanes:
        tallies = [
            lanes.submit(
                attempt, kind, Trial(scratch / kind.replace(" ", "-"), ids, given.broken), undisturbed.root, part,
                calls, random.Random(f"{given.seed} {kind}"),
            )
            for kind, part in seeds.items()
        ]  # fmt: skip
        results = [tally.result() for tally in tallies]
    report(results, calls, given.out, time.monotonic() - started)
    if any(tally.lost for tally in results):
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


def report(tallies: list[Tally], calls: int, out: Path, seconds: float) -> None:
    head = ["fault", "injected", "survived", "lost"]
    total = ["all", *(sum(int(tally.row[place]) for tally in tallies) for place in (1, 2, 3))]
    rows = [*(tally.row for tally in tallies), total]
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "faults.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])
    for row in [head, *rows]:
        print(f"{row[0]:<24}{row[1]:>10}{row[2]:>10}{row[3]:>10}")
    for tally in tallies:
        for line in tally.lost:
            print(f"lost: {line}")
        if tally.not_tried:
            print(f"not tried: {tally.not_tried}")
    print(f"{calls} calls in a run's life; {seconds:.0f} s; table: {out / 'faults.csv'}")


if __name__ == "__main__":
    sys.exit(main())
