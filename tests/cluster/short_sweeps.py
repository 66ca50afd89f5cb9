"""Sweeps of short runs for the tests of both clusters, and the comparison of their records."""

import os
import subprocess
import sys
import time

import torch

from degradation.config import CONF
from degradation.records.schema import METRICS_FILE, WEIGHTS_FILE, State
from degradation.sweep.runs import expand_runs
from degradation.training import serialization

TRAIN = str(CONF.parent / "experiments/train.py")
SHORT_RUN = [
    "model.width=4",
    "optim.batch_size=32",
    "schedule.iterations=300",
    "schedule.milestones=[150]",
    "schedule.evaluate_every=20",
    "schedule.snapshots=[150]",
    "probes=none",
    "tracking=disabled",
    "device=cpu",
]


def start_sweep(folder, *overrides, environment=None):
    """Start a sweep in its own session with stderr as a pipe, and return its process."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, TRAIN, "-m", *SHORT_RUN, f"record_root={folder / 'runs'}", *overrides],
        cwd=folder,
        env=environment or os.environ,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def read_errors(process):
    """Wait for a process to end, and return its stderr."""
    return process.communicate()[1]


def list_records(folder, *overrides):
    """Return the records of the runs of a sweep in `folder`, in their order."""
    overrides = [*SHORT_RUN, f"record_root={folder / 'runs'}", *overrides]
    return [run.record for run in expand_runs(overrides)]


def wait_until(condition):
    """Poll until the condition returns something true, and return that."""
    while True:
        value = condition()
        if value:
            return value
        time.sleep(0.2)


def assert_equal_records(trained, expected):
    """Assert that every run is done, with the metrics and weights of the expected record."""
    for record, other in zip(trained, expected, strict=True):
        assert record.outcome(verify_contents=True) is State.DONE
        assert record.read(METRICS_FILE) == other.read(METRICS_FILE)
        weights = serialization.load(record.read(WEIGHTS_FILE))
        expected_weights = serialization.load(other.read(WEIGHTS_FILE))
        assert weights.keys() == expected_weights.keys()
        for name, values in weights.items():
            assert torch.equal(values, expected_weights[name])
