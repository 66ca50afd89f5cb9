"""A small sweep as a user starts it, with faults in it, and what it told."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fault_shim import STRUCK

from degradation.records.record import Record
from degradation.records.schema import State
from degradation.sweep.jobs import expand_runs

HERE = Path(__file__).resolve().parent
EXPERIMENTS = HERE.parents[1] / "experiments"
# eight layers, four filters, twelve iterations on digits; every probe of the training can be taken again
TINY = [
    "-m", "model.depth=8", "model.width=4", "optim.batch_size=32", "schedule.iterations=12", "schedule.milestones=[6]",
    "schedule.evaluate_every=4", "schedule.snapshots=[6]", "probes.early=6", "probes.afterwards=[]", "device=cpu",
]  # fmt: skip
PRELOAD = ["fault_shim", "torch", "torchvision", "sklearn.datasets", "degradation.run"]
TOKEN = "FAULT_TRIAL"  # an environment variable by which every process of a sweep is known
PATIENCE = (
    120.0  # seconds, and as many for each ten runs; only a broken product keeps a process that long
)
Strikes = dict[int, tuple[str, int]]  # seed: the fault and the number of the call at which it comes


def ids_of(seeds: Sequence[int]) -> dict[int, str]:
    """The run ids of the sweep over these seeds."""
    return {
        run.config.seed: run.run_id
        for run in expand_runs([*TINY[1:], f"seed={','.join(map(str, seeds))}"])
    }


class NotTried(Exception):
    """Why a kind of fault cannot be tried on this machine, in a line."""


class Lost(Exception):
    """A promise that was not kept, in a line."""


@dataclass
class Start:
    """One start of a sweep: its process, and where it tells what."""

    process: subprocess.Popen[bytes]
    console: Path
    logs: Path  # of its jobs

    @property
    def told(self) -> str:
        return self.console.read_text(errors="replace")

    def log_of(self, run_id: str) -> str:
        path = self.logs / f"{run_id}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def failures(self, run_id: str) -> list[str]:
        """The lines that say why a run has failed."""
        return [line for line in self.told.splitlines() if line.startswith(f"{run_id} failed: ")]

    def waits(self, run_id: str) -> bool:
        """Does it say that another process is at the run?"""
        return f"{run_id}: another process holds the lock; waiting" in self.told

    def finds_done(self, run_id: str) -> bool:
        """Has a job, begun when the run was not done yet, found that it is?"""
        return f"{run_id}: already done" in self.log_of(run_id)

    def names(self, run_id: str, word: str) -> bool:
        """Is the word told of this run, on the console or in the job's log?"""
        lines = self.log_of(run_id).splitlines() + [
            line for line in self.told.splitlines() if run_id in line
        ]
        return any(word in line for line in lines)


@dataclass
class Trial:
    """One record root with its sweeps; each start has processes that are known by the root's name."""

    folder: Path
    ids: dict[int, str]  # seed: run id
    calls: dict[str, int] = field(
        default_factory=dict
    )  # fault: how many calls of a run's life it counts
    rng: random.Random = field(default_factory=random.Random)
    broken: str | None = None  # a safeguard that is left out on purpose
    tracking: str = "disabled"
    starts: int = 0
    lost: list[str] = field(default_factory=list)  # promises that were not kept

    @property
    def root(self) -> Path:
        return self.folder / "runs"

    def record(self, seed: int) -> Record:
        return Record(self.root, self.ids[seed])

    def moments(self, fault: str, count: int, first: float = 0.0, last: float = 1.0) -> list[int]:
        """One call in each of `count` equal parts of a run's life, or of the part of it that is given."""
        places = [
            first + (last - first) * (place + self.rng.random()) / count for place in range(count)
        ]
        return [1 + int(place * self.calls[fault]) for place in places]

    # --- what is promised

    def promise(self, kept: object, otherwise: str) -> None:
        if not kept:
            self.lost.append(otherwise)

    def expect(self, start: Start, *allowed: int) -> None:
        """The exit status, and that it was told in lines."""
        code = start.process.returncode
        told = "".join(start.told.strip().splitlines()[-1:])
        self.promise(
            code in allowed,
            f"a sweep ended with {code} and not {' or '.join(map(str, allowed))}: {told}",
        )
        self.promise("Traceback" not in start.told, f"a traceback was told: {told}")

    def expect_done(self, seeds: Iterable[int]) -> None:
        """Of runs that no fault has hit."""
        undone = [seed for seed in seeds if self.undone(seed)]
        self.promise(not undone, f"seeds {undone} are not done, though no fault hit them")

    def expect_failures(self, start: Start, seeds: Iterable[int], reasons: Iterable[str]) -> None:
        """Each of these runs is done, or has failed in one line that says why; the exit status says so too."""
        failed = False
        for seed, reason in zip(seeds, reasons, strict=True):
            lines = start.failures(self.ids[seed])
            self.promise(
                lines or not self.undone(seed), f"{self.ids[seed]}: failed, and nobody told"
            )
            self.promise(
                all(reason in line for line in lines),
                f"{self.ids[seed]}: told {lines} and not {reason!r}",
            )
            self.promise(len(lines) < 2, f"{self.ids[seed]}: told twice {lines}")
            failed = failed or bool(lines)
        self.expect(start, 1 if failed else 0)

    def undone(self, seed: int) -> bool:
        return self.record(seed).state() is not State.DONE

    # --- strikes

    @property
    def strikes(self) -> int:
        """How many faults have come so far."""
        path = self.folder / STRUCK
        return len(path.read_text().splitlines()) if path.exists() else 0

    def struck(self, what: str) -> None:
        """Note a fault that came from outside."""
        with open(self.folder / STRUCK, "a") as file:
            file.write(f"{what}\n")

    def forget_strikes(self, expected: int) -> None:
        """Those so far only prepared what is tried."""
        self.promise(
            self.strikes == expected, f"{self.strikes} of {expected} jobs were killed beforehand"
        )
        (self.folder / STRUCK).unlink(missing_ok=True)

    # --- processes

    def start(
        self, seeds: Iterable[int], strikes: Strikes, script: str = "train", *words: str
    ) -> Start:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.starts += 1
        name = f"{self.folder.name}-{self.starts}"
        scratch, logs = self.folder.with_name("tmp"), self.folder / "logs" / str(self.starts)
        scratch.mkdir(exist_ok=True)
        told = {
            "root": str(self.root),
            "strikes": {self.ids[seed]: strike for seed, strike in strikes.items()},
            "broken": self.broken,
        }
        environment = os.environ | {
            "FAULTS": json.dumps(told), TOKEN: str(self.folder), "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1",
            "TMPDIR": str(scratch),
        }  # fmt: skip
        preload = [*PRELOAD, *(["wandb"] if self.tracking != "disabled" else [])]
        command = [
            sys.executable, str(EXPERIMENTS / f"{script}.py"), *TINY, f"seed={','.join(map(str, seeds))}",
            f"record_root={self.root}", f"tracking={self.tracking}", f"hydra.sweep.dir={logs}",
            f"hydra.launcher.preload=[{','.join(preload)}]", *words,
        ]  # fmt: skip
        console = self.folder.with_name(f"{name}.log")
        with open(console, "wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.folder,
                start_new_session=True,
            )  # fmt: skip
        return Start(process, console, logs)

    def run(
        self, seeds: Sequence[int], strikes: Strikes | None = None, script: str = "train"
    ) -> Start:
        """A start that is over; no process of it is left. Raises Lost."""
        start = self.start(seeds, strikes or {}, script)
        self.wait(start, PATIENCE * (1 + len(seeds) / 10))
        return start

    def wait(self, start: Start, seconds: float = PATIENCE) -> None:
        """Until every process has ended: a job saves its state first. Raises Lost."""
        deadline = time.monotonic() + seconds
        while start.process.poll() is None or self.processes():
            if time.monotonic() > deadline:
                left = self.processes()
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                start.process.wait()
                raise Lost(f"{len(left)} processes did not end within {seconds:.0f} s")
            time.sleep(0.05)  # polls; what is asked for is that they end

    def processes(self) -> list[int]:
        """Those of this trial's sweeps."""
        mark = f"{TOKEN}={self.folder}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0") and not _is_zombie(
                    folder
                ):
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


def _is_zombie(folder: Path) -> bool:
    return ") Z " in (folder / "stat").read_text()
