"""The trial of `make faults`, two of each kind; and that it tells a product in which a safeguard is left out."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"
pytestmark = pytest.mark.slow


def trial(tmp_path, *words):
    return subprocess.run(
        [sys.executable, str(FAULTS), *words, "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_kind_of_fault_is_survived(tmp_path):
    done = trial(tmp_path, "--each", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    with open(tmp_path / "faults.csv", newline="") as file:
        rows = {row["fault"]: row for row in csv.DictReader(file)}
    assert len(rows) == 15
    for kind, row in rows.items():
        if f"not tried: {kind}" not in done.stdout:
            assert (
                int(row["injected"])
                == int(row["survived"])
                == (2 if kind != "all" else int(row["injected"]))
            )
            assert int(row["lost"]) == 0


@pytest.mark.parametrize(
    ("safeguard", "kind", "told"),
    [
        ("checksum", "flipped byte", ["was damaged in", "metrics.jsonl differs"]),
        ("checksum", "corrupted checkpoint", ["nobody told of checkpoint.pt"]),
        ("lock", "two sweeps at once", ["trained 2 times", "6 of 6 faults did not come"]),
        (
            "fsync",
            "power cut",
            ["metrics.jsonl lacks rows", "checkpoint.pt does not fit"],
        ),  # appended, and whole
        ("torn rows", "job killed in a write", ["metrics.jsonl differs"]),
    ],
)
def test_a_safeguard_that_is_left_out_is_told(tmp_path, safeguard, kind, told):
    done = trial(tmp_path, "--each", "6", "--broken", safeguard, "--kinds", kind)
    assert done.returncode == 1
    assert f"lost: {kind}: " in done.stdout
    for words in told:
        assert words in done.stdout
