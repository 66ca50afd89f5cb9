"""A small sweep as a user starts it, and the comparison of what it leaves with what an undisturbed one leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from fault_shim import STRUCK

from degradation.grid import expand
from degradation.records.schema import ATTEMPTS, METRICS, PROBES, SNAPSHOTS, WEIGHTS, State
from degradation.records.store import Record
from degradation.training import checkpoint

HERE = Path(__file__).resolve().parent
EXPERIMENTS = HERE.parents[1] / "experiments"
# eight layers, four filters, twelve iterations on digits; every probe of the training can be taken again
TINY = [
    "-m", "model.depth=8", "model.width=4", "optim.batch_size=32", "schedule.iterations=12", "schedule.milestones=[6]",
    "schedule.evaluate_every=4", "schedule.snapshots=[6]", "probes.early=6", "probes.afterwards=[]", "device=cpu",
]  # fmt: skip
TOKEN = "FAULT_TRIAL"  # an environment variable by which every process of a sweep is known
PATIENCE = 120.0  # seconds, and as many for each ten runs; only a broken product keeps a process that long


def ids_of(seeds: Sequence[int]) -> dict[int, str]:
    """The run ids of the sweep over these seeds."""
    return {run.config.seed: run.run_id for run in expand([*TINY[1:], f"seed={','.join(map(str, seeds))}"])}


class NotTried(Exception):
    """Why a kind of fault cannot be tried on this machine, in a line."""


class Lost(Exception):
    """A promise that was not kept, in a line."""


@dataclass
class Trial:
    """One record root with its sweeps; each start has processes that are known by the root's name."""

    folder: Path
    ids: dict[int, str]  # seed: run id
    broken: str | None = None  # a safeguard that is left out on purpose
    tracking: str = "disabled"
    logs: int = field(default=0)
    lost: list[str] = field(default_factory=list)  # promises that were not kept

    @property
    def root(self) -> Path:
        return self.folder / "runs"

    def words(self, seeds: Iterable[int]) -> list[str]:
        listed = ",".join(map(str, seeds))
        return [*TINY, f"seed={listed}", f"record_root={self.root}", f"tracking={self.tracking}"]

    def record(self, seed: int) -> Record:
        return Record(self.root, self.ids[seed])

    def start(
        self, seeds: Sequence[int], strikes: dict[int, tuple[str, int]], script: str = "train"
    ) -> subprocess.Popen[bytes]:
        """`strikes`: seed: the fault and the number of the call at which it comes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.logs += 1
        told = {
            "root": str(self.root),
            "strikes": {self.ids[seed]: strike for seed, strike in strikes.items()},
            "broken": self.broken,
        }
        environment = os.environ | {
            "FAULTS": json.dumps(told), TOKEN: str(self.folder), "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        words = self.words(seeds)
        if script == "train":
            preload = "[fault_shim,torch,torchvision,sklearn.datasets,degradation.run]"
            words += [f"hydra.launcher.preload={preload}", f"hydra.sweep.dir={self.folder / 'logs'}"]
        log = self.folder.with_name(f"{self.folder.name}-{self.logs}.log")
        with open(log, "wb") as output:
            return subprocess.Popen(
                [sys.executable, str(EXPERIMENTS / f"{script}.py"), *words],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip

    def expect(self, code: int, *allowed: int) -> None:
        if code not in allowed:
            told = "".join(self.told().strip().splitlines()[-1:])
            self.lost.append(f"a sweep ended with {code} and not {' or '.join(map(str, allowed))}: {told}")

    def struck(self, what: str) -> None:
        """Note a fault that came from outside."""
        with open(self.folder / STRUCK, "a") as file:
            file.write(f"{what}\n")

    def strikes(self) -> int:
        """How many faults have come so far."""
        path = self.folder / STRUCK
        return len(path.read_text().splitlines()) if path.exists() else 0

    def forget_strikes(self) -> None:
        """Those so far only prepared what is tried."""
        (self.folder / STRUCK).unlink(missing_ok=True)

    def told(self) -> str:
        """What the last start printed."""
        return self.folder.with_name(f"{self.folder.name}-{self.logs}.log").read_text(errors="replace")

    def run(
        self, seeds: Sequence[int], strikes: dict[int, tuple[str, int]] | None = None, script: str = "train"
    ) -> int:
        """The exit status; no process of the sweep is left when this returns. Raises Lost."""
        code = self.start(seeds, strikes or {}, script).wait(PATIENCE * (1 + len(seeds) / 10))
        self.no_orphans()
        return code

    def no_orphans(self) -> None:
        """Wait until every process has ended: a job saves its state first. Raises Lost."""
        deadline = time.monotonic() + PATIENCE
        while left := self.processes():
            if time.monotonic() > deadline:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                raise Lost(f"{len(left)} processes outlived their sweep")
            time.sleep(0.02)  # polls; what is asked for is that they end

    def processes(self) -> list[int]:
        """Those of this trial's sweeps."""
        mark = f"{TOKEN}={self.folder}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0") and not _is_zombie(folder):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


def _is_zombie(folder: Path) -> bool:
    return ") Z " in (folder / "stat").read_text()


def compare(record: Record, reference: Record) -> None:
    """Raises Lost where the run is not what an undisturbed one is, bit for bit, or something is left behind."""
    if record.outcome(every_byte=True) is not State.DONE:
        raise Lost(f"{record.run_id}: {record.misfit(every_byte=True)}")
    if record.read(METRICS) != reference.read(METRICS):
        raise Lost(f"{record.run_id}: {METRICS} differs")
    if _probes(record) != _probes(reference):
        raise Lost(f"{record.run_id}: {PROBES} differs")
    for name in (WEIGHTS, *(f"{SNAPSHOTS}/{path.name}" for path in reference.path(SNAPSHOTS).iterdir())):
        one, other = checkpoint.load(record.read(name)), checkpoint.load(reference.read(name))
        if one.keys() != other.keys() or not all(torch.equal(one[key], other[key]) for key in one):
            raise Lost(f"{record.run_id}: {name} differs")
    left, expected = _files(record), _files(reference)
    if left != expected:
        raise Lost(f"{record.run_id}: files {sorted(left ^ expected)}")
    starts = [row["attempt"] for row in record.rows(ATTEMPTS) if "start" in row]
    if starts != list(range(1, len(starts) + 1)):
        raise Lost(f"{record.run_id}: attempts {starts}")


def _probes(record: Record) -> list[tuple[int, str, Any]]:
    """Those taken again after they were lost stand behind the others."""
    return sorted((row["iteration"], row["probe"], json.dumps(row)) for row in record.rows(PROBES))


def _files(record: Record) -> set[str]:
    return {str(path.relative_to(record.folder)) for path in record.folder.rglob("*") if path.is_file()}
