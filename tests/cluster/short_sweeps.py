"""What the tests of both clusters share: sweeps of short runs, started by a launcher and compared with the pool's."""

import os
import subprocess
import sys
import time

import torch

from degradation.config import CONF
from degradation.records.schema import METRICS_FILE, WEIGHTS_FILE, State
from degradation.sweep.jobs import expand_runs
from degradation.training import serialization

TRAIN = str(CONF.parent / "experiments/train.py")
SHORT = [
    "model.width=4", "optim.batch_size=32", "schedule.iterations=300", "schedule.milestones=[150]",
    "schedule.evaluate_every=20", "schedule.snapshots=[150]", "probes=none", "tracking=disabled", "device=cpu",
]  # fmt: skip


def start(folder, *words, environment=None):
    """A process that is at the sweep, in a session of its own, its error output a pipe."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, TRAIN, "-m", *SHORT, f"record_root={folder / 'runs'}", *words],
        cwd=folder,
        env=environment or os.environ,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def told(process):
    """What it says until it ends."""
    return process.communicate()[1]


def records(folder, *words):
    return [run.record for run in expand_runs([*SHORT, f"record_root={folder / 'runs'}", *words])]


def until(holds):
    """Poll; the test's own time limit is the runner's."""
    while not (found := holds()):
        time.sleep(0.2)
    return found


def assert_equal(trained, expected):
    """Every run is done, with the same rows and weights."""
    for record, other in zip(trained, expected, strict=True):
        assert record.outcome(verify_contents=True) is State.DONE
        assert record.read(METRICS_FILE) == other.read(METRICS_FILE)
        ours, theirs = (serialization.load(one.read(WEIGHTS_FILE)) for one in (record, other))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
