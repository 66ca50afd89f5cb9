"""The kinds of faults: each strikes fresh runs of a small sweep, and starts the sweep again."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from damage import corrupted_checkpoint, damage, flipped, torn
from fault_shim import BALLAST, ERRORS, POWER_CUTS, RELEASED
from sweep import PATIENCE, NotTried, Start, Trial

from degradation.records.schema import ATTEMPTS_FILE

Kind = Callable[[Trial, Sequence[int]], None]
AT_ONCE = 5  # victims in one start, where a fault hits one job alone
TMPFS = "size=16m"
DAMAGE = re.compile("restarts from scratch|corrupt or truncated|written again|retraining")


def whole_sweep(status: int, *faults: str) -> Kind:
    """A fault that ends the whole sweep: one victim a start; the same start goes on with the victim before."""

    def inject(trial: Trial, seeds: Sequence[int]) -> None:
        moments = trial.moments(faults[0], len(seeds))
        before: list[int] = []
        for seed, fault, moment in zip(seeds, cycle(faults), moments, strict=False):
            start = trial.run([*before, seed], {seed: (fault, moment)})
            trial.expect(start, status)
            _no_damage(trial, start, before)
            before = [seed]
        start = trial.run(before)
        trial.expect(start, 0)
        _no_damage(trial, start, before)

    return inject


def _no_damage(trial: Trial, start: Start, seeds: Sequence[int]) -> None:
    """What was on the disk is there: nothing is torn and no progress is lost."""
    for seed in seeds:
        told = [line for line in start.log_of(trial.ids[seed]).splitlines() if DAMAGE.search(line)]
        trial.promise(not told, f"what was written is not there: {' / '.join(told)}")


def _batches(
    trial: Trial, seeds: Sequence[int], *faults: str
) -> Iterator[tuple[Start, dict[int, str]]]:
    """Starts with faults that hit one job each, and who was hit by what. Those of the start before are then done."""
    strikes = dict(
        zip(
            seeds,
            zip(cycle(faults), trial.moments(faults[0], len(seeds)), strict=False),
            strict=True,
        )
    )
    before: list[int] = []
    for first in range(0, len(seeds), AT_ONCE):
        part = list(seeds[first : first + AT_ONCE])
        start = trial.run([*before, *part], {seed: strikes[seed] for seed in part})
        trial.expect_done(before)
        yield start, {seed: strikes[seed][0] for seed in part}
        before = part


def job_killed(fault: str) -> Kind:
    """The others finish; every one that was killed is told in a line."""

    def inject(trial: Trial, seeds: Sequence[int]) -> None:
        for start, victims in _batches(trial, seeds, fault):
            trial.expect(start, 1)
            for seed in victims:
                lines = start.failures(trial.ids[seed])
                told = len(lines) == 1 and "its process was killed by SIGKILL" in lines[0]
                trial.promise(told, f"{trial.ids[seed]}: was killed, and what was told is {lines}")

    return inject


def io_error(trial: Trial, seeds: Sequence[int]) -> None:
    """A call fails, or every call from then on: the run fails in one line, or goes on."""
    for start, victims in _batches(trial, seeds, *ERRORS):
        trial.expect_failures(
            start, victims, [os.strerror(ERRORS[fault][0]) for fault in victims.values()]
        )


def wandb_core_killed(trial: Trial, seeds: Sequence[int]) -> None:
    """Training goes on, and one line says that nothing is mirrored any more."""
    for start, victims in _batches(trial, seeds, "wandb-core killed"):
        trial.expect(start, 0)
        trial.expect_done(victims)
        for seed in victims:
            told = [
                line
                for line in start.log_of(trial.ids[seed]).splitlines()
                if line.startswith("W&B ")
            ]
            trial.promise(
                len(told) == 1,
                f"{trial.ids[seed]}: wandb-core was killed, and what was told is {told}",
            )


def two_sweeps(trial: Trial, seeds: Sequence[int]) -> None:
    """Started at once. Whichever is first at a run is held there until the other has come to it and says so."""
    moments = dict(zip(seeds, trial.moments("held", len(seeds)), strict=True))
    told = 0
    for first in range(0, len(seeds), AT_ONCE):
        part = seeds[first : first + AT_ONCE]
        strikes = {seed: ("held", moments[seed]) for seed in part}
        both = [
            trial.start(part, strikes, "train", f"hydra.launcher.slots={AT_ONCE}") for _ in range(2)
        ]
        left, deadline = {trial.ids[seed] for seed in part}, time.monotonic() + PATIENCE
        while any(one.process.poll() is None for one in both) and time.monotonic() < deadline:
            for run in [run for run in left if any(one.waits(run) for one in both)]:
                (trial.folder / f"{RELEASED}{run}").touch()
                left.remove(run)
            time.sleep(0.05)  # polls; what is waited for is a line
        for one in both:
            trial.wait(one)
            trial.expect(one, 0)
        # two that look at the lock in the same instant see nobody; the second finds it done when it gets the lock
        told += sum(
            any(one.waits(run) or one.finds_done(run) for one in both)
            for run in map(trial.ids.__getitem__, part)
        )
        for seed in part:
            starts = sum("start" in row for row in trial.record(seed).valid_rows(ATTEMPTS_FILE))
            trial.promise(starts == 1, f"{trial.ids[seed]}: trained {starts} times")
    trial.forget_strikes(len(seeds))
    for _ in range(told):
        trial.struck("two sweeps")


def disk_full(trial: Trial, seeds: Sequence[int]) -> None:
    """On a small file system of its own, which is filled to the last byte at some call and freed for the next start."""
    trial.folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", TMPFS, "faults", str(trial.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotTried(f"no small file system can be made here ({done.stderr.strip()})")
    before: list[int] = []
    for seed, moment in zip(seeds, trial.moments("disk full", len(seeds)), strict=True):
        part = [*before, seed]
        start = trial.run(part, {seed: ("disk full", moment)})
        trial.expect_failures(start, part, ["No space left on device"] * len(part))
        (trial.folder / BALLAST).unlink(missing_ok=True)
        before = [seed for seed in part if trial.undone(seed)]


def unmount(trial: Trial) -> None:
    if os.path.ismount(trial.folder):
        subprocess.run(["umount", "--lazy", str(trial.folder)], check=False)


MIRRORED = ("job killed", "wandb-core killed")  # with W&B, offline
KINDS: dict[str, Kind] = {
    "launcher killed": whole_sweep(-9, "launcher killed"),
    "job killed": job_killed("job killed"),
    "job killed in a write": job_killed("job killed in a write"),
    "both killed": whole_sweep(-9, "both killed"),
    "power cut": whole_sweep(-9, *POWER_CUTS),
    "SIGTERM": whole_sweep(143, "SIGTERM"),
    "Ctrl-C": whole_sweep(130, "Ctrl-C"),
    "torn record file": damage(torn),
    "flipped byte": damage(flipped),
    "corrupted checkpoint": corrupted_checkpoint,
    "disk full": disk_full,
    "I/O error": io_error,
    "two sweeps at once": two_sweeps,
    "wandb-core killed": wandb_core_killed,
}
