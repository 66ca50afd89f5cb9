"""The kinds of faults: each strikes fresh runs of a small sweep, and starts the sweep again."""

import os
import pickle
import random
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from fault_shim import BALLAST
from sweep import NotTried, Trial

from degradation.records.schema import ATTEMPTS, CHECKPOINT, State

Numbers = Sequence[int]  # of calls, by victim: spread evenly over a run's life
Kind = Callable[[Trial, Sequence[int], Numbers, random.Random], None]
AT_ONCE = 5  # victims in one start, where a fault hits one job alone
TMPFS = "size=16m"


def whole_sweep(fault: str, *allowed: int) -> Kind:
    """A fault that ends the whole sweep: one victim a start; the same start goes on with the victim before."""

    def inject(trial: Trial, seeds: Sequence[int], numbers: Numbers, _: random.Random) -> None:
        before: list[int] = []
        for seed, number in zip(seeds, numbers, strict=True):
            trial.expect(trial.run([*before, seed], {seed: (fault, number)}), *allowed)
            before = [seed]

    return inject


def one_job(fault: str, *allowed: int) -> Kind:
    """A fault that hits a job: the others of the sweep finish, and those hit before are done after the next start."""

    def inject(trial: Trial, seeds: Sequence[int], numbers: Numbers, _: random.Random) -> None:
        before: list[int] = []
        for first in range(0, len(seeds), AT_ONCE):
            part = list(seeds[first : first + AT_ONCE])
            strikes = {seed: (fault, numbers[first + place]) for place, seed in enumerate(part)}
            trial.expect(trial.run([*before, *part], strikes), *allowed)
            if undone := [seed for seed in before if trial.record(seed).state() is not State.DONE]:
                trial.lost.append(f"seeds {undone} are not done, though no fault hit them")
            before = part

    return inject


def damage(change: Callable[[bytes, random.Random], bytes]) -> Kind:
    """A file of a record changed between two starts: of runs that are over, and of runs that were killed."""

    def inject(trial: Trial, seeds: Sequence[int], numbers: Numbers, rng: random.Random) -> None:
        # not before there is a file
        killed = {seed: ("job killed", max(8, number)) for seed, number in list(zip(seeds, numbers, strict=True))[::2]}
        trial.expect(trial.run(seeds, killed), 0, 1)
        trial.forget_strikes()
        for seed in seeds:
            record = trial.record(seed)
            files = sorted(path for path in record.folder.rglob("*") if path.is_file() and path.stat().st_size)
            path = rng.choice(files)
            path.write_bytes(change(path.read_bytes(), rng))
            trial.struck(record.run_id)
        trial.expect(trial.run(seeds), 0)
        lost_rows = [seed for seed in seeds if trial.record(seed).lost_probes()]
        if lost_rows:  # of runs that are over: not worth a training
            trial.expect(trial.run(lost_rows, script="explain"), 0)

    return inject


def torn(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def flipped(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


class Planted:
    """Pickled, it would run a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def corrupted_checkpoint(trial: Trial, seeds: Sequence[int], numbers: Numbers, rng: random.Random) -> None:
    """Torn, changed, replaced by noise or by a pickle that runs code."""
    ran = trial.folder / "code-was-run"
    changes: list[Callable[[bytes, random.Random], bytes]] = [
        torn,
        flipped,
        lambda content, rng: rng.randbytes(len(content)),
        lambda _, __: pickle.dumps(Planted(f"touch '{ran}'")),
    ]
    end = max(numbers)
    late = [end // 2 + number // 2 - 2 for number in numbers]  # the second half of a run's life has a checkpoint
    trial.expect(trial.run(seeds, {seed: ("job killed", number) for seed, number in zip(seeds, late, strict=True)}), 1)
    trial.forget_strikes()
    for place, seed in enumerate(seeds):
        record = trial.record(seed)
        path = record.path(CHECKPOINT)
        if not path.exists():
            trial.lost.append(f"{record.run_id}: was killed without a checkpoint, so nothing is tried")
            continue
        path.write_bytes(changes[place % len(changes)](path.read_bytes(), rng))
        trial.struck(record.run_id)
    trial.expect(trial.run(seeds), 0)
    if ran.exists():
        trial.lost.append("a checkpoint ran code")


def two_sweeps(trial: Trial, seeds: Sequence[int], _: Numbers, __: random.Random) -> None:
    """Both end well, and every run was trained once, by one of them."""
    for pair in zip(seeds[::2], seeds[1::2], strict=True):
        both = [trial.start(pair, {}) for _ in range(2)]
        for one in both:
            trial.expect(one.wait(), 0)
        trial.no_orphans()
        for each in pair:
            record = trial.record(each)
            starts = sum("start" in row for row in record.sound_rows(ATTEMPTS))
            if starts != 1:
                trial.lost.append(f"{record.run_id}: trained {starts} times")
        trial.struck(" and ".join(map(str, pair)))


def disk_full(trial: Trial, seeds: Sequence[int], numbers: Numbers, _: random.Random) -> None:
    """On a small file system of its own, which is filled to the last byte at some call and freed for the next start."""
    trial.folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", TMPFS, "faults", str(trial.folder)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotTried(f"no small file system can be made here ({done.stderr.strip()})")
    before: list[int] = []
    for seed, number in zip(seeds, numbers, strict=True):
        code = trial.run([*before, seed], {seed: ("disk full", number)})
        trial.expect(code, 0, 1)
        if code and "No space left on device" not in trial.told():
            trial.lost.append("a full disk was not told")
        (trial.folder / BALLAST).unlink(missing_ok=True)
        before = [*before, seed] if code else []


def unmount(folder: Path) -> None:
    if os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


RUNS_EACH = {"two sweeps at once": 2}  # else one run a fault
KINDS: dict[str, Kind] = {
    "launcher killed": whole_sweep("launcher killed", -9),
    "job killed": one_job("job killed", 1),
    "job killed in a write": one_job("job killed in a write", 1),
    "both killed": whole_sweep("both killed", -9),
    "power cut": whole_sweep("power cut", -9),
    "SIGTERM": whole_sweep("SIGTERM", 143),
    "Ctrl-C": whole_sweep("Ctrl-C", 130),
    "torn record file": damage(torn),
    "flipped byte": damage(flipped),
    "corrupted checkpoint": corrupted_checkpoint,
    "disk full": disk_full,
    "two sweeps at once": two_sweeps,
    "wandb-core killed": one_job("wandb-core killed", 0),
}
