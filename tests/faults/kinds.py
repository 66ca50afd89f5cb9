"""The kinds of faults. Each hits fresh runs of a small sweep, and starts the sweep again."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from degradation.cli import RUNS_FAILED_STATUS
from degradation.records.schema import ATTEMPTS_FILE
from tests.faults.corruption import corrupt_checkpoint, corrupt_files, flip_bit, truncate
from tests.faults.sweep import TIMEOUT_S, NotTried, Start, Trial
from tests.support.fault_shim import BALLAST, ERRORS, POWER_CUTS, RELEASED

Kind = Callable[[Trial, Sequence[int]], None]
BATCH_SIZE = 5  # runs that are hit in one start, for faults that hit only their own job
TMPFS = "size=16m"
LOSS_MESSAGES = re.compile("restarts from scratch|corrupt or truncated|written again|retraining")


def end_whole_sweep(status: int, *faults: str) -> Kind:
    """Return the kind of faults that end the whole sweep, with this exit status.

    Each start has one victim, and resumes the victim of the previous start.
    """

    def inject(trial: Trial, seeds: Sequence[int]) -> None:
        call_numbers = trial.draw_call_numbers(faults[0], len(seeds))
        unfinished: list[int] = []
        for seed, fault, call_number in zip(seeds, cycle(faults), call_numbers, strict=False):
            start = trial.run([*unfinished, seed], {seed: (fault, call_number)})
            trial.expect_exit(start, status)
            _expect_no_loss(trial, start, unfinished)
            unfinished = [seed]
        start = trial.run(unfinished)
        trial.expect_exit(start, 0)
        _expect_no_loss(trial, start, unfinished)

    return inject


def _expect_no_loss(trial: Trial, start: Start, seeds: Sequence[int]) -> None:
    """Expect no message about corrupt files or lost progress: what was written is still there."""
    for seed in seeds:
        log = start.read_log(trial.ids[seed])
        messages = [line for line in log.splitlines() if LOSS_MESSAGES.search(line)]
        trial.expect(not messages, f"what was written is lost: {' / '.join(messages)}")


def _run_batches(
    trial: Trial, seeds: Sequence[int], *faults: str
) -> Iterator[tuple[Start, dict[int, str]]]:
    """Start the sweep once per batch of victims, and expect the previous batch to be done.

    Yields each start with the fault of each of its victims.
    """
    call_numbers = trial.draw_call_numbers(faults[0], len(seeds))
    injections = dict(zip(seeds, zip(cycle(faults), call_numbers, strict=False), strict=True))
    previous: list[int] = []
    for first in range(0, len(seeds), BATCH_SIZE):
        batch = list(seeds[first : first + BATCH_SIZE])
        start = trial.run([*previous, *batch], {seed: injections[seed] for seed in batch})
        trial.expect_done(previous)
        yield start, {seed: injections[seed][0] for seed in batch}
        previous = batch


def kill_jobs(fault: str) -> Kind:
    """Return the kind of faults that kill one job: one line reports it, and the others finish."""

    def inject(trial: Trial, seeds: Sequence[int]) -> None:
        for start, victims in _run_batches(trial, seeds, fault):
            trial.expect_exit(start, RUNS_FAILED_STATUS)
            for seed in victims:
                run_id = trial.ids[seed]
                lines = start.list_failures(run_id)
                is_reported = len(lines) == 1 and "its process was killed by SIGKILL" in lines[0]
                trial.expect(is_reported, f"{run_id}: was killed; the message is {lines}")

    return inject


def io_error(trial: Trial, seeds: Sequence[int]) -> None:
    """Let one call, or it and every later one, fail: the run fails in one line, or continues."""
    for start, victims in _run_batches(trial, seeds, *ERRORS):
        reasons = [os.strerror(ERRORS[fault][0]) for fault in victims.values()]
        trial.expect_failures(start, victims, reasons)


def kill_wandb_core(trial: Trial, seeds: Sequence[int]) -> None:
    """Kill wandb-core: training continues, and one line says that mirroring has ended."""
    for start, victims in _run_batches(trial, seeds, "wandb-core killed"):
        trial.expect_exit(start, 0)
        trial.expect_done(victims)
        for seed in victims:
            run_id = trial.ids[seed]
            log = start.read_log(run_id)
            lines = [line for line in log.splitlines() if line.startswith("W&B ")]
            trial.expect(
                len(lines) == 1, f"{run_id}: wandb-core was killed; the message is {lines}"
            )


def start_two_sweeps(trial: Trial, seeds: Sequence[int]) -> None:
    """Start two sweeps at once. The first to reach a run is held until the second reports that."""
    call_numbers = dict(zip(seeds, trial.draw_call_numbers("held", len(seeds)), strict=True))
    noticed = 0
    for first in range(0, len(seeds), BATCH_SIZE):
        batch = seeds[first : first + BATCH_SIZE]
        injections = {seed: ("held", call_numbers[seed]) for seed in batch}
        slots = f"hydra.launcher.slots={BATCH_SIZE}"
        starts = [trial.start(batch, injections, "train", slots) for _ in range(2)]
        run_ids = [trial.ids[seed] for seed in batch]
        _release_runs_waited_for(trial, starts, run_ids)
        for start in starts:
            trial.wait(start)
            trial.expect_exit(start, 0)
        for run_id in run_ids:
            # Two processes that test the lock in the same instant do not see each other. The second
            # one then finds the run done when it gets the lock.
            noticed += any(start.waits_for(run_id) or start.finds_done(run_id) for start in starts)
        for seed in batch:
            rows = trial.record(seed).valid_rows(ATTEMPTS_FILE)
            attempts = sum("start" in row for row in rows)
            trial.expect(attempts == 1, f"{trial.ids[seed]}: trained {attempts} times")
    trial.forget_injections(len(seeds))
    for _ in range(noticed):
        trial.note_injection("two sweeps")


def _release_runs_waited_for(trial: Trial, starts: list[Start], run_ids: list[str]) -> None:
    held = set(run_ids)
    deadline = time.monotonic() + TIMEOUT_S
    while any(start.process.poll() is None for start in starts) and time.monotonic() < deadline:
        for run_id in list(held):
            if any(start.waits_for(run_id) for start in starts):
                (trial.folder / f"{RELEASED}{run_id}").touch()
                held.remove(run_id)
        time.sleep(0.05)


def fill_disk(trial: Trial, seeds: Sequence[int]) -> None:
    """Fill a small file system of its own at some call, and free it for the next start."""
    trial.folder.mkdir(parents=True, exist_ok=True)
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", TMPFS, "faults", str(trial.folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounting.returncode:
        raise NotTried(f"no small file system can be mounted here ({mounting.stderr.strip()})")
    unfinished: list[int] = []
    for seed, call_number in zip(
        seeds, trial.draw_call_numbers("disk full", len(seeds)), strict=True
    ):
        batch = [*unfinished, seed]
        start = trial.run(batch, {seed: ("disk full", call_number)})
        trial.expect_failures(start, batch, ["No space left on device"] * len(batch))
        (trial.folder / BALLAST).unlink(missing_ok=True)
        unfinished = [seed for seed in batch if trial.is_unfinished(seed)]


def unmount(trial: Trial) -> None:
    """Remove the file system that `fill_disk` has mounted."""
    if os.path.ismount(trial.folder):
        subprocess.run(["umount", "--lazy", str(trial.folder)], check=False)


MIRRORED = ("job killed", "wandb-core killed")  # these are tried with W&B, offline
KINDS: dict[str, Kind] = {
    "launcher killed": end_whole_sweep(-9, "launcher killed"),
    "job killed": kill_jobs("job killed"),
    "job killed in a write": kill_jobs("job killed in a write"),
    "both killed": end_whole_sweep(-9, "both killed"),
    "power cut": end_whole_sweep(-9, *POWER_CUTS),
    "SIGTERM": end_whole_sweep(143, "SIGTERM"),
    "Ctrl-C": end_whole_sweep(130, "Ctrl-C"),
    "truncated file": corrupt_files(truncate),
    "flipped bit": corrupt_files(flip_bit),
    "corrupt checkpoint": corrupt_checkpoint,
    "disk full": fill_disk,
    "I/O error": io_error,
    "two sweeps at once": start_two_sweeps,
    "wandb-core killed": kill_wandb_core,
}
