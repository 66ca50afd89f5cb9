"""Faults that corrupt a file between two starts: the next start must name the file."""

import os
import pickle
import random
from collections.abc import Callable, Sequence

from degradation.checksums import unseal
from degradation.cli import RUNS_FAILED_STATUS
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
from tests.faults.sweep import Trial

Change = Callable[[bytes, random.Random], bytes]


def corrupt_files(change: Change) -> Callable[[Trial, Sequence[int]], None]:
    """Return the fault that corrupts a file of each record, of finished and of killed runs."""

    def inject(trial: Trial, seeds: Sequence[int]) -> None:
        # The runs are killed when they have written files that a resume needs.
        killed = seeds[::2]
        _train_and_kill(trial, seeds, killed, first=0.2, last=0.8)
        changed = {}
        for seed in seeds:
            record = trial.record(seed)
            names = _list_files_read_next(record, is_finished=seed not in killed)
            name = trial.rng.choice(names)
            content = record.path(name).read_bytes()
            record.path(name).write_bytes(change(content, trial.rng))
            changed[seed] = name
            trial.note_injection(record.run_id)
        starts = [trial.run(seeds)]
        # A finished run is not retrained for lost probes; `make explain` reports them.
        with_lost_probes = [seed for seed in seeds if trial.record(seed).count_lost_probes()]
        if with_lost_probes:
            starts.append(trial.run(with_lost_probes, script="explain"))
        for start in starts:
            trial.expect_exit(start, 0)
        for seed, name in changed.items():
            run_id = trial.ids[seed]
            is_named = any(start.mentions(run_id, name) for start in starts)
            trial.expect(is_named, f"{run_id}: {name} was changed, and no message names it")

    return inject


def _train_and_kill(
    trial: Trial, seeds: Sequence[int], victims: Sequence[int], first: float, last: float
) -> None:
    """Train all runs, and kill the victims between these parts of their lives."""
    call_numbers = trial.draw_call_numbers("job killed", len(victims), first, last)
    injections = {
        seed: ("job killed", call_number)
        for seed, call_number in zip(victims, call_numbers, strict=True)
    }
    trial.expect_exit(trial.run(seeds, injections), RUNS_FAILED_STATUS)
    trial.expect_done(seed for seed in seeds if seed not in victims)
    trial.forget_injections(len(victims))


def _list_files_read_next(record: Record, is_finished: bool) -> list[str]:
    """Return the files that the next start reads, so that it can detect a change in them.

    It does not read what a killed attempt had only begun to write: it rewrites that.
    """
    if is_finished:
        manifest = record.read_manifest() or {}
        return [*manifest["files"], DONE_FILE, PROBES_FILE, ATTEMPTS_FILE]
    names = [RUN_FILE, ATTEMPTS_FILE, METRICS_FILE, PROBES_FILE, CHECKPOINT_FILE]
    if record.path(CHECKPOINT_FILE).exists():
        checkpoint = serialization.load(unseal(record.read(CHECKPOINT_FILE)))
        names += checkpoint[SNAPSHOTS_DIR]
    paths = [record.path(name) for name in names]
    return [
        name
        for name, path in zip(names, paths, strict=True)
        if path.exists() and path.stat().st_size
    ]


def truncate(content: bytes, rng: random.Random) -> bytes:
    """Cut within a line: after a cut between lines the remaining rows are valid."""
    lengths = [length for length in range(1, len(content)) if content[length - 1 : length] != b"\n"]
    return content[: rng.choice(lengths)]


def flip_bit(content: bytes, rng: random.Random) -> bytes:
    position = rng.randrange(len(content))
    changed_byte = content[position] ^ 1 << rng.randrange(8)
    return content[:position] + bytes([changed_byte]) + content[position + 1 :]


def replace_by_noise(content: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(len(content))


class CommandWhenUnpickled:
    """Its pickle runs a command when it is loaded."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def corrupt_checkpoint(trial: Trial, seeds: Sequence[int]) -> None:
    """Truncate a checkpoint, flip a bit, or replace it with noise or a pickle that runs code."""
    evidence = trial.folder / "code-was-run"
    pickled_command = pickle.dumps(CommandWhenUnpickled(f"touch '{evidence}'"))

    def replace_by_command(_content: bytes, _rng: random.Random) -> bytes:
        return pickled_command

    changes: list[Change] = [truncate, flip_bit, replace_by_noise, replace_by_command]
    # The runs are killed when they have a checkpoint, which a resume needs.
    _train_and_kill(trial, seeds, seeds, first=0.55, last=0.8)
    for index, seed in enumerate(seeds):
        record = trial.record(seed)
        path = record.path(CHECKPOINT_FILE)
        if path.exists():
            change = changes[index % len(changes)]
            path.write_bytes(change(path.read_bytes(), trial.rng))
            trial.note_injection(record.run_id)
    start = trial.run(seeds)
    trial.expect_exit(start, 0)
    for seed in seeds:
        run_id = trial.ids[seed]
        is_named = start.mentions(run_id, CHECKPOINT_FILE)
        trial.expect(is_named, f"{run_id}: no message names {CHECKPOINT_FILE}")
    trial.expect(not evidence.exists(), "a checkpoint ran code")
