"""A run and its record: repeated, interrupted, failed, skipped."""

import errno
import json
import signal
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from PIL import Image

from degradation import attempts, recorded_training
from degradation.checksums import seal, unseal
from degradation.config import ConfigError
from degradation.data.datasets import load_dataset
from degradation.records.record import Record
from degradation.records.schema import (
    ATTEMPTS_FILE,
    CHECKPOINT_FILE,
    METRICS_FILE,
    PROBES_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.run import RunFailed, train
from degradation.sweep.runs import locate_run
from degradation.training import serialization
from tests.support.interruption import interrupt


def final(record):
    """Return what a repeat must reproduce: metrics and probes, final weights, and a snapshot."""
    tensors = [
        serialization.load(record.read(name))
        for name in (WEIGHTS_FILE, f"{SNAPSHOTS_DIR}/00000006.pt")
    ]
    return record.read(METRICS_FILE) + record.read(PROBES_FILE), tensors


def assert_same(actual, expected):
    assert actual[0] == expected[0]
    for weights, expected_weights in zip(actual[1], expected[1], strict=True):
        assert weights.keys() == expected_weights.keys()
        assert all(torch.equal(weights[name], expected_weights[name]) for name in weights)


def test_training_takes_probes_at_the_configured_time_points(tiny):
    config = tiny("probes.early=2")
    train(config)
    rows = locate_run(config).record.valid_prefix(PROBES_FILE)
    probes = [(row["iteration"], row["probe"]) for row in rows]
    names = ("gradient_flow", "responses")
    assert probes == [(iteration, name) for iteration in (0, 2, 6, 12) for name in names]
    assert all(len({len(values) for values in row["table"].values()}) == 1 for row in rows)


@pytest.fixture(scope="module")
def undisturbed(compose_config, tiny_overrides, tmp_path_factory):
    config = compose_config(
        *tiny_overrides, f"record_root={tmp_path_factory.mktemp('undisturbed')}"
    )
    assert train(config) is State.DONE
    return final(locate_run(config).record)


def test_repeat_in_another_root_is_byte_identical(tiny, tmp_path, undisturbed):
    config = tiny(f"record_root={tmp_path / 'again'}", "tracking=offline")
    train(config)
    assert_same(final(locate_run(config).record), undisturbed)


# An evaluation, which saves a checkpoint; the update after the learning-rate drop with a snapshot.
# The slow tests stop at all others.
FAST_STOPS = (4, 7)
STOPS = [
    pytest.param(iteration, marks=[] if iteration in FAST_STOPS else pytest.mark.slow)
    for iteration in range(1, 13)
]


@pytest.mark.parametrize("iteration", STOPS)
def test_resume_after_a_stop_is_bit_exact(tiny, undisturbed, monkeypatch, iteration):
    config = tiny()

    interrupt(config, monkeypatch, iteration)
    record = locate_run(config).record
    assert record.state() is State.PARTIAL
    assert train(config) is State.DONE
    assert_same(final(record), undisturbed)
    outcomes = [row["outcome"] for row in record.valid_prefix(ATTEMPTS_FILE) if "outcome" in row]
    assert outcomes == ["interrupted", "done"]


class Killed(BaseException):
    """Simulates a kill: nothing is written afterwards."""


@pytest.mark.parametrize("iteration", STOPS)
def test_resume_after_a_kill_is_bit_exact(tiny, undisturbed, monkeypatch, iteration):
    config = tiny()

    def die_here(at, _):
        if at == iteration:
            raise Killed

    monkeypatch.setattr(recorded_training, "report_progress", die_here)
    with pytest.raises(Killed):
        train(config)
    monkeypatch.undo()
    record = locate_run(config).record
    with open(record.path(METRICS_FILE), "ab") as file:
        file.write(b'{"iteration":99,"truncated')
    assert train(config) is State.DONE
    assert_same(final(record), undisturbed)


def test_last_row_off_the_interval_survives_a_resume(tiny, monkeypatch, caplog):
    config = tiny("schedule.iterations=10")
    interrupt(config, monkeypatch, 10, signal.SIGTERM)
    caplog.set_level("INFO")
    assert train(config) is State.DONE
    assert "resumes from iteration 10" in caplog.text
    rows = locate_run(config).record.valid_prefix(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [4, 8, 10]


def test_lost_rows_restart_the_run_from_scratch(tiny, undisturbed, monkeypatch, caplog):
    config = tiny()
    interrupt(config, monkeypatch, 9, signal.SIGTERM)
    record = locate_run(config).record
    record.path(METRICS_FILE).write_bytes(record.path(METRICS_FILE).read_bytes()[:-5])
    train(config)
    assert "metrics.jsonl lacks rows from before the checkpoint" in caplog.text
    assert_same(final(record), undisturbed)


def test_truncated_checkpoint_restarts_the_run(tiny, undisturbed, monkeypatch, caplog):
    config = tiny()
    interrupt(config, monkeypatch, 9, signal.SIGINT)
    record = locate_run(config).record
    record.path(CHECKPOINT_FILE).write_bytes(record.path(CHECKPOINT_FILE).read_bytes()[:-100])
    train(config)
    assert "checkpoint.pt does not match its own checksum" in caplog.text
    assert "training restarts from scratch" in caplog.text
    assert_same(final(record), undisturbed)


def not_sealed(saved):
    """Without a checksum, so that corruption could not be detected."""
    return serialization.dump(saved)


def of_another_release(saved):
    return seal(serialization.dump({key: value for key, value in saved.items() if key != "probes"}))


def of_another_network(saved):
    """The last tensor has the wrong shape, so all others are restored before the error."""
    network = saved["training"]["network"]
    last = list(network)[-1]
    return seal(
        serialization.dump(
            saved
            | {"training": saved["training"] | {"network": network | {last: network[last][:5]}}}
        )
    )


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (not_sealed, "does not match its own checksum"),
        (of_another_release, "was written by another release"),
        (of_another_network, "belongs to another network"),
    ],
)
def test_unusable_checkpoint_restarts_the_run(
    tiny, undisturbed, monkeypatch, caplog, change, problem
):
    config = tiny()
    interrupt(config, monkeypatch, 9)
    record = locate_run(config).record
    record.write(CHECKPOINT_FILE, change(serialization.load(unseal(record.read(CHECKPOINT_FILE)))))
    assert train(config) is State.DONE
    assert f"checkpoint.pt {problem}" in caplog.text
    assert "training restarts from scratch" in caplog.text
    assert_same(final(record), undisturbed)


def test_done_run_is_skipped(tiny, monkeypatch):
    config = tiny()
    train(config)
    monkeypatch.setattr(recorded_training, "Trainer", lambda *_: pytest.fail("trained again"))
    assert train(config) is State.DONE


def test_done_run_in_a_read_only_record_root_is_skipped(tiny, monkeypatch, caplog):
    caplog.set_level("INFO")
    config = tiny()
    train(config)

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    for name in ("lock", "remove_leftovers"):
        monkeypatch.setattr(Record, name, refuse)
    assert train(config) is State.DONE
    assert caplog.text.count("already done") == 1


def test_run_waits_for_another_processs_lock(tiny, monkeypatch):
    """Nothing is trained or written while the lock is held; then the run is already done."""
    config = tiny()
    record = locate_run(config).record
    messages, trained = [], []
    with ExitStack() as other_process:
        other_process.enter_context(record.lock())
        before = sorted(path.name for path in record.folder.iterdir())

        def finish_elsewhere(message):
            messages.append(message)
            assert sorted(path.name for path in record.folder.iterdir()) == before
            monkeypatch.undo()
            other_process.close()
            assert train(config) is State.DONE
            monkeypatch.setattr(recorded_training, "Trainer", lambda *_: trained.append("twice"))

        monkeypatch.setattr(attempts, "notify", finish_elsewhere)
        assert train(config) is State.DONE
    assert messages == [f"{record.run_id}: another process holds the lock; waiting for it"]
    assert trained == []
    assert [row["attempt"] for row in record.valid_prefix(ATTEMPTS_FILE)] == [1, 1]


def test_run_is_locked_during_all_writes(tiny, monkeypatch):
    config = tiny()
    record = locate_run(config).record
    lock_states = []

    def record_lock_state(write):
        def call(*args):
            lock_states.append(record.is_locked())
            return write(*args)

        return call

    for name in ("write", "append", "finish"):
        monkeypatch.setattr(Record, name, record_lock_state(getattr(Record, name)))
    assert train(config) is State.DONE
    assert len(lock_states) > 10
    assert all(lock_states)
    assert not record.is_locked()


def test_interrupted_run_is_unlocked(tiny, monkeypatch):
    config = tiny()
    interrupt(config, monkeypatch, 5)
    assert not locate_run(config).record.is_locked()


def write_images(root, seed):
    """Write a random image of each of two classes per split."""
    generator = np.random.default_rng(seed)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "0.png")


def test_images_replaced_after_the_start_fail_the_run(tiny, tmp_path, monkeypatch):
    """A run whose id names other images than those it was trained on would never be noticed."""
    images = tmp_path / "images"
    write_images(images, seed=0)
    config = tiny("data=image_folder", f"data.root={images}", "optim.batch_size=2", "data.pad=1")
    record = locate_run(config).record

    def replace_and_load(data):
        write_images(images, seed=1)
        return load_dataset(data)

    monkeypatch.setattr(recorded_training, "load_dataset", replace_and_load)
    with pytest.raises(RunFailed, match=r"the images in .+ changed after this run was started"):
        train(config)
    assert record.state() is State.FAILED
    assert not record.path(METRICS_FILE).exists()


def test_failure_is_recorded_and_retried(tiny, monkeypatch, caplog):
    config = tiny()

    def broken(*_):
        raise MemoryError("out of memory")

    monkeypatch.setattr(recorded_training, "Trainer", broken)
    with pytest.raises(RunFailed, match="MemoryError: out of memory"):
        train(config)
    record = locate_run(config).record
    assert record.state() is State.FAILED
    with open(record.path(ATTEMPTS_FILE), "ab") as file:
        file.write(b'{"attempt":2,"truncated')  # a kill in the middle of a line
    with pytest.raises(RunFailed, match="MemoryError: out of memory"):
        train(config)
    assert "1 corrupt or truncated lines in attempts.jsonl are dropped" in caplog.text
    assert [row["attempt"] for row in record.valid_prefix(ATTEMPTS_FILE)] == [1, 1, 2, 2]
    assert record.valid_prefix(ATTEMPTS_FILE)[-1]["reason"] == "MemoryError: out of memory"
    monkeypatch.undo()
    assert train(config) is State.DONE


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate"),
        RuntimeError("CUDA error: lost"),
    ],
)
def test_error_during_training_is_recorded(tiny, monkeypatch, error):
    """Out of memory, or a lost GPU: the row states the reason and the last complete iteration."""
    config = tiny()
    step = recorded_training.Trainer.step

    def failing(self):
        if self.iteration == 6:
            raise error
        step(self)

    monkeypatch.setattr(recorded_training.Trainer, "step", failing)
    with pytest.raises(RunFailed, match=f": {type(error).__name__}: CUDA"):
        train(config)
    record = locate_run(config).record
    end = record.valid_prefix(ATTEMPTS_FILE)[-1]
    assert (end["outcome"], end["iteration"]) == ("failed", 6)
    assert end["reason"] == f"{type(error).__name__}: {error}".splitlines()[0]
    assert 0 <= end["seconds"] < end["end"]
    monkeypatch.undo()
    assert train(config) is State.DONE


def test_divergence_is_a_result(tiny):
    config = tiny("optim.lr=1e30")
    assert train(config) is State.DIVERGED
    record = locate_run(config).record
    assert record.state() is State.DIVERGED
    assert record.valid_prefix(ATTEMPTS_FILE)[-1]["outcome"] == "diverged"
    assert (
        record.valid_prefix(ATTEMPTS_FILE)[-1]["iteration"]
        == record.read_manifest()["iteration"]
        <= 4
    )
    assert train(config) is State.DIVERGED  # not trained again


def test_resume_on_another_device_needs_permission(tiny, monkeypatch):
    config = tiny()
    interrupt(config, monkeypatch, 5, signal.SIGTERM)
    record = locate_run(config).record
    saved = serialization.load(unseal(record.read(CHECKPOINT_FILE)))
    record.write(CHECKPOINT_FILE, seal(serialization.dump(saved | {"device": "cuda"})))
    with pytest.raises(ConfigError, match=r"^device: .*was started on cuda"):
        train(config)
    assert train(tiny("allow_device_change=true")) is State.DONE


@pytest.mark.slow
def test_overflow_in_an_evaluation_is_not_divergence(tiny, compose_config):
    """After one iteration of a plain-110, BN's moving averages are close to their initial values.

    In eval mode the network overflows, but its training loss is finite.
    """
    keys = [
        "schedule.iterations=2",
        "schedule.milestones=[]",
        "schedule.snapshots=[]",
        "schedule.evaluate_every=1",
    ]
    config = tiny("model=plain", "model.depth=110", "model.width=16", "optim.batch_size=128", *keys)
    assert train(config) is State.DONE
    rows = locate_run(config).record.valid_prefix(METRICS_FILE)
    assert [row["iteration"] for row in rows] == [1, 2]
    assert rows[0]["train/clean_loss"] is None
    assert rows[0]["train/running_loss"] is not None


def test_record_root_that_is_a_file_is_refused(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFailed, match=r"is not a zip archive; allowed: a folder"):
        train(tiny(f"record_root={tmp_path / 'file'}"))


def test_unavailable_device_is_refused(tiny):
    missing = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(
        ConfigError,
        match=rf"^device: '{missing}' is not available; allowed on this machine: auto, .*cpu",
    ):
        train(tiny(f"device={missing}"))
    assert not locate_run(tiny()).record.folder.exists()


def test_record_describes_the_run(tiny):
    config = tiny()
    train(config)
    record = locate_run(config).record
    metadata = record.read_metadata()
    assert metadata["census"]["parameters"] > 0
    assert metadata["data"]["classes"] == 10
    assert len(metadata["data"]["checksum"]) == 64
    assert metadata["config"]["optim"]["momentum"] == 0.9
    start, end = record.valid_prefix(ATTEMPTS_FILE)
    assert torch.__version__.startswith(start["versions"]["torch"])
    assert start["device"] == "cpu"
    assert end["end"] >= start["start"]
    assert json.loads(record.path("DONE").read_text())["outcome"] == "done"
