"""Faults that change a file between two starts: the next one tells it by its name."""

import os
import pickle
import random
from collections.abc import Callable, Sequence

from sweep import Trial

from degradation.durable_io import unseal
from degradation.records.record import Record
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    SNAPSHOTS_DIR,
)
from degradation.training import serialization

Change = Callable[[bytes, random.Random], bytes]


def damage(change: Change) -> Callable[[Trial, Sequence[int]], None]:
    """A file of a record is changed: of runs that are over, and of runs that were killed."""

    def inject(trial: Trial, seeds: Sequence[int]) -> None:
        killed = _kill(
            trial, seeds, seeds[::2], first=0.2, last=0.8
        )  # when there are files, and all are needed
        damaged = {}
        for seed in seeds:
            record = trial.record(seed)
            name = trial.rng.choice(_read_by_the_next_start(record, over=seed not in killed))
            record.path(name).write_bytes(change(record.path(name).read_bytes(), trial.rng))
            damaged[seed] = name
            trial.struck(record.run_id)
        starts = [trial.run(seeds)]
        lost_rows = [seed for seed in seeds if trial.record(seed).count_lost_probes()]
        if lost_rows:  # of runs that are over: not worth a training
            starts.append(trial.run(lost_rows, script="explain"))
        for start in starts:
            trial.expect(start, 0)
        for seed, name in damaged.items():
            told = any(start.names(trial.ids[seed], name) for start in starts)
            trial.promise(told, f"{trial.ids[seed]}: was damaged in {name}, which nobody told")

    return inject


def _kill(
    trial: Trial, seeds: Sequence[int], victims: Sequence[int], first: float, last: float
) -> Sequence[int]:
    """Train all of them, and kill some in this part of their lives."""
    moments = trial.moments("job killed", len(victims), first, last)
    strikes = {seed: ("job killed", moment) for seed, moment in zip(victims, moments, strict=True)}
    trial.expect(trial.run(seeds, strikes), 1)
    trial.expect_done(seed for seed in seeds if seed not in victims)
    trial.forget_strikes(len(victims))
    return victims


def _read_by_the_next_start(record: Record, over: bool) -> list[str]:
    """The files whose damage it can see: not what a killed attempt had only begun, which is made anew."""
    if over:
        return [*(record.read_manifest() or {})["files"], DONE_FILE, PROBES_FILE, ATTEMPTS_FILE]
    names = [RUN_FILE, ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE, CHECKPOINT_FILE]
    if record.path(CHECKPOINT_FILE).exists():
        names += serialization.load(unseal(record.read(CHECKPOINT_FILE)))[SNAPSHOTS_DIR]
    return [
        name for name in names if record.path(name).exists() and record.path(name).stat().st_size
    ]


def torn(content: bytes, rng: random.Random) -> bytes:
    """Cut within a line: rows of which the last ones are missing are sound."""
    return content[
        : rng.choice(
            [place for place in range(1, len(content)) if content[place - 1 : place] != b"\n"]
        )
    ]


def flipped(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def noise(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(len(content))


class Planted:
    """Pickled, it would run a command when it is read."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def corrupted_checkpoint(trial: Trial, seeds: Sequence[int]) -> None:
    """Torn, changed, replaced by noise or by a pickle that runs code."""
    ran = trial.folder / "code-was-run"
    planted = pickle.dumps(Planted(f"touch '{ran}'"))
    changes: list[Change] = [torn, flipped, noise, lambda _, __: planted]
    _kill(trial, seeds, seeds, first=0.55, last=0.8)  # when there is a checkpoint, and it is needed
    for place, seed in enumerate(seeds):
        record = trial.record(seed)
        path = record.path(CHECKPOINT_FILE)
        if path.exists():
            path.write_bytes(changes[place % len(changes)](path.read_bytes(), trial.rng))
            trial.struck(record.run_id)
    start = trial.run(seeds)
    trial.expect(start, 0)
    for seed in seeds:
        trial.promise(
            start.names(trial.ids[seed], CHECKPOINT_FILE),
            f"{trial.ids[seed]}: nobody told of {CHECKPOINT_FILE}",
        )
    trial.promise(not ran.exists(), "a checkpoint ran code")
