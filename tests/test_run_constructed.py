"""Runs of constructed networks: the parent is trained first, and its errors are the first row."""

import subprocess
import sys

import pytest
import torch

from degradation import run as run_module
from degradation.config import CONF, parent_config
from degradation.models.network import Network
from degradation.records.manifest import build_manifest
from degradation.records.schema import METRICS_FILE, RUN_FILE, WEIGHTS_FILE, State
from degradation.run import RunFailed, train
from degradation.sweep.runs import locate_run
from degradation.training import serialization

TRAIN = CONF.parent / "experiments/train.py"
CONSTRUCTED = ("model=constructed", "model.depth=20", "model.grown_from=8")


@pytest.mark.slow
def test_first_row_of_a_constructed_run_is_its_parents_error(tiny):
    config = tiny(*CONSTRUCTED)
    assert train(config) is State.DONE
    record, parent = locate_run(config).record, locate_run(parent_config(config)).record
    assert parent.state() is State.DONE
    assert record.run_id.startswith("constructed-d20-s0-")
    assert record.read_metadata()["parent"] == parent.run_id
    start, *rest = record.valid_prefix(METRICS_FILE)
    end = parent.valid_prefix(METRICS_FILE)[-1]
    # the augmented columns differ: augmentation is drawn again
    for key in ("train/clean_error", "test/error", "train/clean_loss", "test/loss"):
        assert start[key] == pytest.approx(end[key], rel=1e-6), key
    assert start["iteration"] == 0
    assert {"lr", "train/running_error"}.isdisjoint(start)
    assert [row["iteration"] for row in rest] == [4, 8, 12]
    assert rest[0]["lr"] == 0.01


def test_constructed_run_starts_from_its_parents_weights(tiny):
    config = tiny(*CONSTRUCTED, "optim.lr=1e-12", "optim.weight_decay=0")
    train(config)
    weights = serialization.load(locate_run(config).record.read(WEIGHTS_FILE))
    parent = serialization.load(locate_run(parent_config(config)).record.read(WEIGHTS_FILE))
    torch.testing.assert_close(weights["layer1.0.conv1.weight"], parent["layer1.0.conv1.weight"])
    shallow, deep = (Network(c.model, 1, 10) for c in (parent_config(config), config))
    shallow.load_state_dict(parent)
    deep.load_state_dict(weights)
    assert len(list(deep.blocks())) == 9


def test_done_parent_is_not_retrained(tiny, monkeypatch):
    config = tiny(*CONSTRUCTED)
    train(parent_config(config))
    depths = []
    monkeypatch.setattr(
        run_module, "_attempt", lambda attempted, *_: depths.append(attempted.model.depth)
    )
    train(config)
    assert depths == [20]


def test_diverged_parent_is_refused(tiny):
    config = tiny(*CONSTRUCTED)
    parent = locate_run(parent_config(config)).record
    with parent.lock():
        files = {RUN_FILE: parent.write_metadata({"run_id": parent.run_id})}
        parent.append(METRICS_FILE, {"iteration": 4})
        parent.finish(
            build_manifest(State.DIVERGED, 4, files, parent.valid_prefix(METRICS_FILE), [])
        )
    with pytest.raises(
        RunFailed, match=rf"{parent.run_id}: is diverged, so no network can be constructed from it"
    ):
        train(config)
    assert locate_run(config).record.state() is State.FAILED


@pytest.mark.slow
def test_concurrent_jobs_train_their_parent_once(tiny, tmp_path, tiny_overrides):
    """The second waits for the lock that the first holds."""
    shared = [*tiny_overrides, f"record_root={tmp_path / 'runs'}"]
    jobs = [
        ["model=plain", "model.depth=8"],
        [*CONSTRUCTED],
        ["model=constructed", "model.depth=14", "model.grown_from=8"],
    ]
    processes = [
        subprocess.Popen([sys.executable, str(TRAIN), *shared, *job], cwd=tmp_path) for job in jobs
    ]
    assert [process.wait() for process in processes] == [0, 0, 0]
    parent = locate_run(parent_config(tiny(*CONSTRUCTED))).record
    starts = [row for row in parent.valid_prefix("attempts.jsonl") if "start" in row]
    assert len(starts) == 1
    assert parent.state() is State.DONE
