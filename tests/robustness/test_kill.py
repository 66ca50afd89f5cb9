"""A run whose process is killed, whose machine stops or whose disk fails ends in the same bytes."""

import errno
import os
import signal
import traceback

import pytest
import torch

from degradation import checkpointing, recorded_training
from degradation.checksums import SEAL_PREFIX
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    DONE_FILE,
    METRICS_FILE,
    PROBES_FILE,
    RUN_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.run import RunFailed, train
from degradation.sweep.runs import locate_run
from degradation.training import serialization
from tests.support import fault_shim

SNAPSHOT = f"{SNAPSHOTS_DIR}/00000006.pt"
FINISHED_FILES = [RUN_FILE, METRICS_FILE, DONE_FILE, WEIGHTS_FILE, SNAPSHOT]
STEP = 24  # the fast tests inject faults at every twenty-fourth call


@pytest.fixture(scope="module")
def undisturbed(compose_config, tiny_overrides, tmp_path_factory):
    """The result of a run without faults."""
    root = tmp_path_factory.mktemp("undisturbed")
    config = compose_config(*tiny_overrides, f"record_root={root}")
    assert train(config) is State.DONE
    return read_result(locate_run(config).record)


def read_result(record):
    """What every repetition must equal: rows of metrics and probes, and weights."""
    weights = [serialization.load(record.read(name)) for name in (WEIGHTS_FILE, SNAPSHOT)]
    return record.read(METRICS_FILE), record.read(PROBES_FILE), weights


def assert_equals(record, undisturbed):
    """The run is done, equals the undisturbed run, and has left nothing behind."""
    assert record.outcome(verify_contents=True) is State.DONE
    result = read_result(record)
    assert result[:2] == undisturbed[:2]
    for weights, expected in zip(result[2], undisturbed[2], strict=True):
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[name], expected[name]) for name in weights)
    files = {path.name for path in record.folder.rglob("*") if path.is_file()}
    assert files == {
        "DONE",
        "lock",
        "run.json",
        "code.jsonl",
        "attempts.jsonl",
        "metrics.jsonl",
        "probes.jsonl",
        "weights.pt",
        "00000006.pt",
    }
    starts = [row["attempt"] for row in record.valid_prefix(ATTEMPTS_FILE) if "start" in row]
    assert starts == list(range(1, len(starts) + 1))


def run_in_child(action) -> int:
    """Return the exit code of a child process, negative if a signal ended it."""
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


FAULTS = [
    "job killed",
    "job killed in a write",
    "power cut",
    "power cut, rows lost",
    "power cut, files lost",
]
# the two that leave the most behind; the others are injected at every fourth call
AT_EVERY_CALL = ["job killed in a write", "power cut"]


def log_saved_iterations(path, patch):
    """In a child: append the iteration of each checkpoint whose write has returned."""
    save_checkpoint = recorded_training.save_checkpoint

    def save_and_log(record, trainer, resume_state):
        save_checkpoint(record, trainer, resume_state)
        with open(path, "a") as file:
            file.write(f"{trainer.iteration}\n")

    patch.setattr(recorded_training, "save_checkpoint", save_and_log)


def record_updates(patch):
    """Return a list that receives the iteration of every update of the weights."""
    updates = []
    step = recorded_training.Trainer.step

    def step_and_record(trainer):
        updates.append(trainer.iteration)
        step(trainer)

    patch.setattr(recorded_training.Trainer, "step", step_and_record)
    return updates


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (STEP, FAULTS[1]),
        pytest.param(STEP, FAULTS[2], marks=pytest.mark.slow),
        *[
            pytest.param(1 if fault in AT_EVERY_CALL else 4, fault, marks=pytest.mark.slow)
            for fault in FAULTS
        ],
    ],
)
def test_run_killed_at_any_call_ends_in_the_same_bytes(
    tiny, tmp_path, undisturbed, monkeypatch, fault, step
):
    """It also resumes from the last saved checkpoint; a retrained run would have the same bytes."""
    number, code = 1 + FAULTS.index(fault), -signal.SIGKILL
    killed = killed_after_saving = 0
    while code == -signal.SIGKILL:
        config = tiny(f"record_root={tmp_path / str(number)}")
        record = locate_run(config).record
        saved_iterations = tmp_path / f"saved-{number}"
        saved_iterations.touch()

        def train_and_die(record=record, config=config, number=number, path=saved_iterations):
            fault_shim.FAULTS["now"] = fault_shim.FAULTS[fault]  # counts calls that change the disk
            fault_shim.FaultyDisk(record.root, {record.run_id: ("now", number)}).install()
            log_saved_iterations(path, monkeypatch)
            train(config)

        code = run_in_child(train_and_die)
        assert code in (0, -signal.SIGKILL)
        killed += code != 0
        last_saved = max(map(int, saved_iterations.read_text().split()), default=0)
        killed_after_saving += code != 0 and last_saved > 0
        with monkeypatch.context() as patch:
            updates = record_updates(patch)
            assert train(config) is State.DONE
        assert not updates or min(updates) >= last_saved, (number, last_saved, updates)
        assert_equals(record, undisturbed)
        number += step
    assert killed * step > 40  # the calls in a run's life
    assert killed_after_saving


ERRORS = [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES]
FAST_ERRORS = 2


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    ("error", "step"),
    [
        *[(error, 34) for error in ERRORS[:FAST_ERRORS]],
        *[pytest.param(error, 34, marks=pytest.mark.slow) for error in ERRORS[FAST_ERRORS:]],
        pytest.param(errno.EIO, 2, marks=pytest.mark.slow),
    ],
)
def test_failing_disk_fails_the_run_in_one_line(tiny, tmp_path, undisturbed, error, step):
    """Some write and all later ones fail. Once the disk works again, the same command resumes."""
    number, has_failed = 1 + error % 16, True  # each error is injected at other calls
    failures = 0
    while has_failed:
        config = tiny(f"record_root={tmp_path / str(number)}")
        record = locate_run(config).record
        with pytest.MonkeyPatch.context() as patch:
            fail_calls_from(number, error, record, patch)
            message = ""
            try:
                train(config)
            except RunFailed as failure:
                message = str(failure)
        has_failed = message != ""
        if has_failed:
            assert os.strerror(error) in message
            assert message.startswith(f"{record.run_id}: ")
            assert "\n" not in message
        failures += has_failed
        assert train(config) is State.DONE
        assert_equals(record, undisturbed)
        number += step
    assert failures


def fail_calls_from(number, error, record, patch):
    """Let the calls that concern a record fail, starting at the `number`-th."""
    count = 0

    def failing(real, path_index):
        def call(*args, **options):
            nonlocal count
            target = args[path_index]
            is_descriptor = isinstance(target, int)
            path = os.readlink(f"/proc/self/fd/{target}") if is_descriptor else os.fspath(target)
            if path.startswith(str(record.folder)):
                count += 1
                if count >= number:
                    raise OSError(error, os.strerror(error), path)
            return real(*args, **options)

        return call

    for name, path_index in (("fsync", 0), ("replace", 1)):
        patch.setattr(os, name, failing(getattr(os, name), path_index))


def corrupt_versions(content, name):
    """Yield the content cut at every length, and with one byte changed in two ways at each place.

    Of files that are not text, 200 seeded places are taken.
    """
    if name.endswith(".pt"):
        stream = torch.Generator().manual_seed(0)
        places = torch.randint(len(content), (200,), generator=stream).tolist()
    else:
        places = range(len(content))
    for place in places:
        yield content[:place]
        flipped_bit = content[place] ^ 1 << place % 8
        for byte in {flipped_bit, ord("e")} - {content[place]}:  # "e": 1544 -> 1e44, 4544 -> 4e544
            yield content[:place] + bytes([byte]) + content[place + 1 :]


@pytest.fixture(scope="module")
def finished(compose_config, tiny_overrides, tmp_path_factory):
    config = compose_config(*tiny_overrides, f"record_root={tmp_path_factory.mktemp('finished')}")
    train(config)
    return locate_run(config).record


def slow(names):
    return [pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", [*FINISHED_FILES[:1], *slow(FINISHED_FILES[1:])])
def test_any_corruption_of_a_finished_run_is_detected(finished, name):
    content = finished.path(name).read_bytes()
    try:
        for corrupt in corrupt_versions(content, name):
            finished.path(name).write_bytes(corrupt)
            mismatch = finished.find_mismatch(verify_contents=True)
            assert mismatch is not None
            assert name in mismatch
            assert finished.outcome(verify_contents=True) is None
    finally:
        finished.path(name).write_bytes(content)
    assert finished.outcome(verify_contents=True) is State.DONE


@pytest.mark.parametrize("name", [METRICS_FILE, *slow([PROBES_FILE, ATTEMPTS_FILE])])
def test_no_corrupt_row_is_ever_read(finished, name):
    content = finished.path(name).read_bytes()
    rows = finished.valid_prefix(name)
    try:
        for corrupt in corrupt_versions(content, name):
            finished.path(name).write_bytes(corrupt)
            valid = finished.valid_rows(name)
            assert len(valid) < len(rows)
            assert all(row in rows for row in valid)
    finally:
        finished.path(name).write_bytes(content)


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("name", FINISHED_FILES)
def test_corrupt_finished_run_becomes_what_it_was(tiny, undisturbed, name, caplog):
    config = tiny()
    train(config)
    record = locate_run(config).record
    content = record.path(name).read_bytes()
    place = len(content) // 3
    changed_byte = bytes([content[place] ^ 16])
    record.path(name).write_bytes(content[:place] + changed_byte + content[place + 1 :])
    assert train(config) is State.DONE
    assert name in caplog.text
    assert_equals(record, undisturbed)
    # What follows without training is not trained again.
    lines = record.path(ATTEMPTS_FILE).read_text().splitlines()
    finished_attempts = sum(METRICS_FILE in line for line in lines)
    assert ("retraining the run" in caplog.text) == (name not in (RUN_FILE, DONE_FILE))
    assert finished_attempts == (1 if name == DONE_FILE else 2)


def test_corrupt_checkpoint_restarts_from_scratch(tiny, undisturbed):
    config = tiny()
    record = locate_run(config).record

    def train_and_die():
        fault_shim.FaultyDisk(record.root, {record.run_id: ("job killed", 44)}).install()
        train(config)

    assert run_in_child(train_and_die) == -signal.SIGKILL
    content = record.path(CHECKPOINT_FILE).read_bytes()
    assert content.startswith(SEAL_PREFIX)
    expected_keys = set(serialization.load(content.partition(b"\n")[2])["training"])
    checkpoint = checkpointing.read_checkpoint(record, expected_keys)
    assert checkpoint["training"]["iteration"] == 8
    for corrupt in corrupt_versions(content, CHECKPOINT_FILE):
        record.path(CHECKPOINT_FILE).write_bytes(corrupt)
        with pytest.raises(checkpointing.UnusableCheckpoint, match=r"checkpoint\.pt"):
            checkpointing.read_checkpoint(record, expected_keys)
    assert train(config) is State.DONE
    assert_equals(record, undisturbed)
