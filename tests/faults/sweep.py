"""`Trial`: starts a small sweep with faults in it, and notes which guarantees it breaks."""

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

from degradation.cli import RUNS_FAILED_STATUS
from degradation.records.record import Record
from degradation.records.schema import State
from degradation.sweep.runs import expand_runs
from tests.support.fault_shim import INJECTED

REPOSITORY = Path(__file__).resolve().parents[2]
# Eight layers, four filters and twelve iterations on digits. Every probe can be measured again.
TINY = [
    "-m",
    "model.depth=8",
    "model.width=4",
    "optim.batch_size=32",
    "schedule.iterations=12",
    "schedule.milestones=[6]",
    "schedule.evaluate_every=4",
    "schedule.snapshots=[6]",
    "probes.early=6",
    "probes.afterwards=[]",
    "device=cpu",
]
SHIM = "tests.support.fault_shim"
PRELOAD = [SHIM, "torch", "torchvision", "sklearn.datasets", "degradation.run"]
TRIAL_VARIABLE = "FAULT_TRIAL"  # environment variable that identifies all processes of a trial
# Doubled for ten runs, and so on. Only a process that hangs takes so long.
TIMEOUT_S = 120.0
Injections = dict[int, tuple[str, int]]  # seed: the fault, and the number of its call


def expand_ids(seeds: Sequence[int]) -> dict[int, str]:
    """Return the run id of each seed."""
    runs = expand_runs([*TINY[1:], f"seed={','.join(map(str, seeds))}"])
    return {run.config.seed: run.run_id for run in runs}


class NotTried(Exception):
    """Why a kind of fault cannot be tried on this machine, in one line."""


class Lost(Exception):
    """A guarantee that was broken, in one line."""


@dataclass
class Start:
    """One start of a sweep: its process, its console output, and the folder of its jobs' logs."""

    process: subprocess.Popen[bytes]
    console: Path
    logs: Path

    @property
    def output(self) -> str:
        return self.console.read_text(errors="replace")

    def read_log(self, run_id: str) -> str:
        """Return the log of a run's job, empty if there is none."""
        path = self.logs / f"{run_id}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def list_failures(self, run_id: str) -> list[str]:
        """Return the lines that say why a run has failed."""
        prefix = f"{run_id} failed: "
        return [line for line in self.output.splitlines() if line.startswith(prefix)]

    def waits_for(self, run_id: str) -> bool:
        """Return whether the sweep has said that another process holds the run."""
        return f"{run_id}: another process holds the lock; waiting" in self.output

    def finds_done(self, run_id: str) -> bool:
        """Return whether a job, begun when the run was unfinished, has found it done."""
        return f"{run_id}: already done" in self.read_log(run_id)

    def mentions(self, run_id: str, word: str) -> bool:
        """Return whether the word occurs in the job's log, or on the console beside the run id."""
        console_lines = [line for line in self.output.splitlines() if run_id in line]
        lines = self.read_log(run_id).splitlines() + console_lines
        return any(word in line for line in lines)


@dataclass
class Trial:
    """One record root, and the sweeps that are started on it.

    Attributes:
        folder: contains the record root, the logs and what the fault shim notes.
        ids: the run id of each seed.
        calls: how many calls of a whole run each fault counts.
        rng: draws the calls before which the faults are injected.
        disabled_safeguard: the safeguard that is disabled on purpose, if any.
        tracking: the W&B mode.
        starts: how many sweeps have been started.
        lost: the guarantees that were broken, one line each.
    """

    folder: Path
    ids: dict[int, str]
    calls: dict[str, int] = field(default_factory=dict)
    rng: random.Random = field(default_factory=random.Random)
    disabled_safeguard: str | None = None
    tracking: str = "disabled"
    starts: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.folder / "runs"

    def record(self, seed: int) -> Record:
        return Record(self.root, self.ids[seed])

    def draw_call_numbers(
        self, fault: str, count: int, first: float = 0.0, last: float = 1.0
    ) -> list[int]:
        """Draw `count` numbers of calls, one in each of as many equal parts of a run's life.

        Args:
            fault: whose calls are counted.
            count: how many to draw.
            first: where the part of the life that is used begins (0: the first call).
            last: where it ends (1: the last call).
        """
        positions = [(index + self.rng.random()) / count for index in range(count)]
        length = last - first
        return [1 + int((first + length * place) * self.calls[fault]) for place in positions]

    # --- guarantees

    def expect(self, is_kept: object, problem: str) -> None:
        """Note the problem unless the guarantee is kept."""
        if not is_kept:
            self.lost.append(problem)

    def expect_exit(self, start: Start, *allowed: int) -> None:
        """Expect one of these exit statuses, and no traceback."""
        code = start.process.returncode
        last_line = "".join(start.output.strip().splitlines()[-1:])
        expected = " or ".join(map(str, allowed))
        self.expect(
            code in allowed, f"a sweep exited with {code} instead of {expected}: {last_line}"
        )
        self.expect("Traceback" not in start.output, f"a traceback was printed: {last_line}")

    def expect_done(self, seeds: Iterable[int]) -> None:
        """Expect runs that no fault has hit to be done."""
        unfinished = [seed for seed in seeds if self.is_unfinished(seed)]
        self.expect(not unfinished, f"seeds {unfinished} are not done, though no fault hit them")

    def expect_failures(self, start: Start, seeds: Iterable[int], reasons: Iterable[str]) -> None:
        """Expect each run to be done, or to have failed in one line with its reason."""
        has_failed = False
        for seed, reason in zip(seeds, reasons, strict=True):
            run_id, lines = self.ids[seed], start.list_failures(self.ids[seed])
            self.expect(
                lines or not self.is_unfinished(seed), f"{run_id}: failed without a message"
            )
            self.expect(
                all(reason in line for line in lines), f"{run_id}: printed {lines}, not {reason!r}"
            )
            self.expect(len(lines) < 2, f"{run_id}: printed twice {lines}")
            has_failed = has_failed or bool(lines)
        self.expect_exit(start, RUNS_FAILED_STATUS if has_failed else 0)

    def is_unfinished(self, seed: int) -> bool:
        return self.record(seed).state() is not State.DONE

    # --- injections

    def count_injections(self) -> int:
        """Return how many faults have been injected."""
        path = self.folder / INJECTED
        return len(path.read_text().splitlines()) if path.exists() else 0

    def note_injection(self, run_id: str) -> None:
        """Note a fault that the trial itself has injected, from outside the process."""
        with open(self.folder / INJECTED, "a") as file:
            file.write(f"{run_id}\n")

    def forget_injections(self, expected: int) -> None:
        """Forget the faults that only prepared what is tried."""
        count = self.count_injections()
        self.expect(count == expected, f"{count} of {expected} jobs were killed beforehand")
        (self.folder / INJECTED).unlink(missing_ok=True)

    # --- processes

    def start(
        self, seeds: Iterable[int], injections: Injections, script: str = "train", *overrides: str
    ) -> Start:
        """Start a sweep over these seeds, without waiting for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.starts += 1
        logs = self.folder / "logs" / str(self.starts)
        preload = list(PRELOAD)
        if self.tracking != "disabled":
            preload.append("wandb")
        command = [
            sys.executable,
            str(REPOSITORY / "experiments" / f"{script}.py"),
            *TINY,
            f"seed={','.join(map(str, seeds))}",
            f"record_root={self.root}",
            f"tracking={self.tracking}",
            f"hydra.sweep.dir={logs}",
            f"hydra.launcher.preload=[{','.join(preload)}]",
            *overrides,
        ]
        console = self.folder.with_name(f"{self.folder.name}-{self.starts}.log")
        with open(console, "wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._build_environment(injections),
                cwd=self.folder,
                start_new_session=True,
            )
        return Start(process, console, logs)

    def _build_environment(self, injections: Injections) -> dict[str, str]:
        scratch = self.folder.with_name("tmp")
        scratch.mkdir(exist_ok=True)
        settings = {
            "root": str(self.root),
            "injections": {self.ids[seed]: injection for seed, injection in injections.items()},
            "disabled_safeguard": self.disabled_safeguard,
        }
        return os.environ | {
            "FAULTS": json.dumps(settings),
            TRIAL_VARIABLE: str(self.folder),
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
            "TMPDIR": str(scratch),
        }

    def run(
        self, seeds: Sequence[int], injections: Injections | None = None, script: str = "train"
    ) -> Start:
        """Start a sweep and wait until all its processes have ended. Raises Lost."""
        start = self.start(seeds, injections or {}, script)
        self.wait(start, TIMEOUT_S * (1 + len(seeds) / 10))
        return start

    def wait(self, start: Start, timeout_s: float = TIMEOUT_S) -> None:
        """Wait until every process has ended: a job saves its checkpoint first. Raises Lost."""
        deadline = time.monotonic() + timeout_s
        while start.process.poll() is None or self.list_processes():
            if time.monotonic() > deadline:
                remaining = self.list_processes()
                for pid in remaining:
                    os.kill(pid, signal.SIGKILL)
                start.process.wait()
                raise Lost(f"{len(remaining)} processes did not end within {timeout_s:.0f} s")
            time.sleep(0.05)

    def list_processes(self) -> list[int]:
        """Return the ids of the processes of this trial's sweeps."""
        variable = f"{TRIAL_VARIABLE}={self.folder}".encode()
        processes = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                is_ours = variable in (folder / "environ").read_bytes().split(b"\0")
                if is_ours and not _is_zombie(folder):
                    processes.append(int(folder.name))
            except OSError:
                continue
        return processes


def _is_zombie(folder: Path) -> bool:
    return ") Z " in (folder / "stat").read_text()
