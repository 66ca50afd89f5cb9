"""A run that is killed, or whose machine stops, or whose disk fails, at every call by which it reaches the disk."""

import errno
import importlib.util
import os
import signal
import traceback
from itertools import product
from pathlib import Path

import pytest
import torch

from degradation import run as run_module
from degradation.durable_io import SEAL_PREFIX
from degradation.records.schema import (
    ATTEMPTS_FILE,
    METRICS_FILE,
    PROBES_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.run import RunFailed, train
from degradation.sweep.jobs import locate_run
from degradation.training import serialization

SHIM = Path(__file__).parents[1] / "faults/fault_shim.py"
RARELY = 24  # the fast tests strike at every twenty-fourth call


@pytest.fixture(scope="module")
def shim():
    spec = importlib.util.spec_from_file_location("fault_shim", SHIM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whole(compose_config, tiny_overrides, tmp_path_factory):
    config = compose_config(
        *tiny_overrides, f"record_root={tmp_path_factory.mktemp('undisturbed')}"
    )
    assert train(config) is State.DONE
    return final(locate_run(config).record)


def final(record):
    """What every repeat must equal."""
    weights = [
        serialization.load(record.read(name))
        for name in (WEIGHTS_FILE, f"{SNAPSHOTS_DIR}/00000006.pt")
    ]
    return record.read(METRICS_FILE), record.read(PROBES_FILE), weights


def assert_whole(record, whole):
    """Done, equal to the undisturbed run, and nothing left behind."""
    assert record.outcome(verify_contents=True) is State.DONE
    found = final(record)
    assert found[:2] == whole[:2]
    for one, other in zip(found[2], whole[2], strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    left = {path.name for path in record.folder.rglob("*") if path.is_file()}
    assert left == {
        "DONE", "lock", "run.json", "attempts.jsonl", "metrics.jsonl", "probes.jsonl", "weights.pt", "00000006.pt",
    }  # fmt: skip
    starts = [row["attempt"] for row in record.valid_prefix(ATTEMPTS_FILE) if "start" in row]
    assert starts == list(range(1, len(starts) + 1))


def in_a_child(action) -> int:
    """The exit code of a process of its own, negative where a signal ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            action()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


STRIKES = [
    "job killed",
    "job killed in a write",
    "power cut",
    "power cut, rows lost",
    "power cut, files lost",
]


def note_what_is_saved(path, patched):
    """In a child: append the iteration of each checkpoint when its write has returned, and so has promised it."""

    def save(record, training, kept):
        saving(record, training, kept)
        with open(path, "a") as file:
            file.write(f"{training.iteration}\n")

    saving = run_module.save_checkpoint
    patched.setattr(run_module, "save_checkpoint", save)


def count_updates(patched):
    """A list that gets an entry for every update of the weights."""
    updates = []

    def step(training):
        updates.append(training.iteration)
        stepping(training)

    stepping = run_module.Trainer.step
    patched.setattr(run_module.Trainer, "step", step)
    return updates


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        *((RARELY, fault) for fault in STRIKES[1:3]),
        *(
            pytest.param(step, fault, marks=pytest.mark.slow)
            for step, fault in product((1,), STRIKES)
        ),
    ],
)
def test_a_run_that_ends_at_any_call_goes_on_to_the_same_bytes(
    tiny, tmp_path, shim, whole, monkeypatch, fault, step
):
    """And from the last checkpoint that was promised: a run trained again from its start has the same bytes too."""
    number, code = 1 + STRIKES.index(fault), -signal.SIGKILL
    killed = saved_before_a_strike = 0
    while code == -signal.SIGKILL:
        config = tiny(f"record_root={tmp_path / str(number)}")
        record = locate_run(config).record
        promised = tmp_path / f"promised-{number}"
        promised.touch()

        def strike(record=record, config=config, number=number, promised=promised):
            shim.FAULTS["now"] = shim.FAULTS[fault]
            shim.Disk(record.root, {record.run_id: ("now", number)}).install()
            note_what_is_saved(promised, monkeypatch)
            train(config)

        code = in_a_child(strike)
        assert code in (0, -signal.SIGKILL)
        killed += code != 0
        last = max(map(int, promised.read_text().split()), default=0)
        saved_before_a_strike += code != 0 and last > 0
        with monkeypatch.context() as patched:
            updates = count_updates(patched)
            assert train(config) is State.DONE
        assert not updates or min(updates) >= last, (number, last, updates)
        assert_whole(record, whole)
        number += step
    assert killed * step > 40  # the calls of a run's life
    assert saved_before_a_strike


@pytest.mark.parametrize(
    "problem", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO]
)
@pytest.mark.parametrize("step", [34, pytest.param(2, marks=pytest.mark.slow)])
def test_a_disk_that_fails_at_any_call_fails_the_run_in_one_line(
    tiny, tmp_path, shim, whole, problem, step
):
    """From that call on, every write fails; then the disk is mended, and the same command goes on."""
    number, failed = 1 + problem % 16, True  # other calls for each problem
    failures = 0
    while failed:
        config = tiny(f"record_root={tmp_path / str(number)}")
        record = locate_run(config).record
        with pytest.MonkeyPatch.context() as patched:
            fail_from(number, problem, record, patched)
            told = ""
            try:
                train(config)
            except RunFailed as failure:
                told = str(failure)
        failed = told != ""
        if failed:
            assert os.strerror(problem) in told
            assert told.startswith(f"{record.run_id}: ")
            assert "\n" not in told
        failures += failed
        assert train(config) is State.DONE
        assert_whole(record, whole)
        number += step
    assert failures


def fail_from(number, problem, record, patched):
    """Make the calls below a record fail from the `number`th on."""
    count = 0

    def failing(real, which):
        def call(*args, **options):
            nonlocal count
            path = (
                os.readlink(f"/proc/self/fd/{args[0]}")
                if isinstance(args[0], int)
                else os.fspath(args[which])
            )
            if path.startswith(str(record.folder)):
                count += 1
                if count >= number:
                    raise OSError(problem, os.strerror(problem), path)
            return real(*args, **options)

        return call

    for name, which in (("fsync", 0), ("replace", 1)):
        patched.setattr(os, name, failing(getattr(os, name), which))


def damaged(content, name):
    """Text cut at every length, else at 200 seeded ones; and with a byte changed at the same places, in two ways."""
    if name.endswith(".pt"):
        stream = torch.Generator().manual_seed(0)
        places = torch.randint(len(content), (200,), generator=stream).tolist()
    else:
        places = range(len(content))
    for place in places:
        yield content[:place]
        for other in {content[place] ^ 1 << place % 8, ord("e")} - {
            content[place]
        }:  # 1544 -> 1e44; 4544 -> 4e544
            yield content[:place] + bytes([other]) + content[place + 1 :]


DONE_FILES = ["run.json", "metrics.jsonl", "DONE", "weights.pt", f"{SNAPSHOTS_DIR}/00000006.pt"]


@pytest.fixture(scope="module")
def done(compose_config, tiny_overrides, tmp_path_factory):
    config = compose_config(*tiny_overrides, f"record_root={tmp_path_factory.mktemp('done')}")
    train(config)
    return locate_run(config).record


@pytest.mark.parametrize(
    "name",
    [*DONE_FILES[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in DONE_FILES[2:])],
)
def test_any_damage_to_a_run_that_is_over_is_seen_and_named(done, name):
    content = done.path(name).read_bytes()
    try:
        for broken in damaged(content, name):
            done.path(name).write_bytes(broken)
            told = done.find_mismatch(verify_contents=True)
            assert told is not None
            assert name in told
            assert done.outcome(verify_contents=True) is None
    finally:
        done.path(name).write_bytes(content)
    assert done.outcome(verify_contents=True) is State.DONE


@pytest.mark.parametrize(
    "name",
    [
        METRICS_FILE,
        *(pytest.param(name, marks=pytest.mark.slow) for name in (PROBES_FILE, ATTEMPTS_FILE)),
    ],
)
def test_no_damaged_row_is_ever_read(done, name):
    content = done.path(name).read_bytes()
    rows = done.valid_prefix(name)
    try:
        for broken in damaged(content, name):
            done.path(name).write_bytes(broken)
            found = done.valid_rows(name)
            assert len(found) < len(rows)
            assert all(row in rows for row in found)
    finally:
        done.path(name).write_bytes(content)


@pytest.mark.parametrize("name", DONE_FILES)
def test_a_run_that_is_over_and_damaged_becomes_what_it_was(tiny, whole, name, caplog):
    config = tiny()
    train(config)
    record = locate_run(config).record
    content = record.path(name).read_bytes()
    place = len(content) // 3
    record.path(name).write_bytes(
        content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]
    )
    assert train(config) is State.DONE
    assert name in caplog.text
    assert_whole(record, whole)
    # what can be known without training again is not trained again
    trained = sum(
        "metrics.jsonl" in line for line in record.path(ATTEMPTS_FILE).read_text().splitlines()
    )
    assert ("retraining the run" in caplog.text) == (name not in ("run.json", "DONE"))
    assert trained == (1 if name == "DONE" else 2)


def test_any_damage_to_a_checkpoint_is_seen_and_training_starts_anew(tiny, shim, whole, tmp_path):
    from degradation import checkpointing

    config = tiny()
    record = locate_run(config).record

    def die():
        shim.Disk(record.root, {record.run_id: ("job killed", 40)}).install()
        train(config)

    assert in_a_child(die) == -signal.SIGKILL
    content = record.path("checkpoint.pt").read_bytes()
    assert content.startswith(SEAL_PREFIX)
    expected = set(serialization.load(content.partition(b"\n")[2])["training"])
    assert checkpointing.read_checkpoint(record, expected)["training"]["iteration"] == 8
    for broken in damaged(content, "checkpoint.pt"):
        record.path("checkpoint.pt").write_bytes(broken)
        with pytest.raises(checkpointing.UnusableCheckpoint, match=r"checkpoint\.pt"):
            checkpointing.read_checkpoint(record, expected)
    assert train(config) is State.DONE
    assert_whole(record, whole)
