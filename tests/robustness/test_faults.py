"""The trial of `make faults`: every fault is survived, and a disabled safeguard is noticed."""

import csv
import os
import subprocess
import sys

import pytest

from degradation.config import CONF

REPOSITORY = CONF.parent
pytestmark = pytest.mark.slow


def run_trial(tmp_path, *arguments):
    return subprocess.run(
        [sys.executable, "tests/faults", *arguments, "--out", str(tmp_path)],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_kind_of_fault_is_survived(tmp_path):
    trial = run_trial(tmp_path, "--each", "1")
    assert trial.returncode == 0, trial.stdout + trial.stderr
    with open(tmp_path / "faults.csv", newline="") as file:
        rows = {row["fault"]: row for row in csv.DictReader(file)}
    assert len(rows) == 15
    for kind, row in rows.items():
        if f"not tried: {kind}" in trial.stdout:
            continue
        expected = int(row["injected"]) if kind == "all" else 1
        assert int(row["injected"]) == int(row["survived"]) == expected
        assert int(row["lost"]) == 0


@pytest.mark.parametrize(
    ("safeguard", "kinds", "messages"),
    [
        (
            "checksum",
            ["flipped bit", "corrupt checkpoint"],
            [
                "was changed, and no message",
                "metrics.jsonl: its checksum differs",
                "no message names checkpoint.pt",
            ],
        ),
        ("lock", ["two sweeps at once"], ["trained 2 times", " of 6 faults were not injected"]),
        # the first of appended rows, the second of a whole file
        ("fsync", ["power cut"], ["metrics.jsonl lacks rows", "checkpoint.pt does not match"]),
        ("truncated rows", ["job killed in a write"], ["metrics.jsonl differs"]),
    ],
)
def test_disabled_safeguard_is_noticed(tmp_path, safeguard, kinds, messages):
    options = ["--each", "6", "--disable-safeguard", safeguard]
    trial = run_trial(tmp_path, *options, "--kinds", *kinds)
    assert trial.returncode == 1
    for kind in kinds:
        assert f"lost: {kind}: " in trial.stdout
    for message in messages:
        assert message in trial.stdout
