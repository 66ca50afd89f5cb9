"""`make growth` reports what grows faster than the number of runs; its records are realistic."""

import csv
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from analysis.query import load_where
from degradation.config import CONF
from tests.growth.__main__ import REPORT_LIMIT_S, Row, find_problems
from tests.growth.records import EVALUATIONS, NETWORKS, write_records

REPOSITORY = CONF.parent
LINEAR = [
    Row("report", 100, 3.0, 190.0),
    Row("report", 1000, 5.0, 220.0),
    Row("report", 10_000, 29.0, 520.0),
]


@pytest.mark.parametrize(
    ("index", "change", "message"),
    [
        (1, {"wall_seconds": 36.5}, "report: time grew 12.2 times from 100 to 1000 runs"),
        (2, {"peak_resident_mb": 3000.0}, "report: memory grew 13.6 times from 1000 to 10000 runs"),
        (2, {"wall_seconds": 31.0}, "report: 31.0 s for 10000 runs; allowed: 30 s"),
    ],
)
def test_superlinear_growth_and_slow_reports_are_reported(index, change, message):
    assert find_problems(LINEAR, REPORT_LIMIT_S) == []
    rows = [replace(row, **change) if row is LINEAR[index] else row for row in LINEAR]
    assert find_problems(rows, REPORT_LIMIT_S) == [message]


@pytest.mark.slow
def test_generated_records_are_valid_and_complete(tmp_path):
    write_records(tmp_path / "runs", 2 * NETWORKS)
    frame = load_where(tmp_path / "runs", None)
    assert frame.excluded == ()
    assert len(frame.runs) == 2 * NETWORKS
    assert set(frame.curves.groupby("run_id").size()) == {EVALUATIONS}
    assert set(frame.runs["state"]) == {"done"}


@pytest.mark.slow
def test_commands_on_generated_records_are_measured(tmp_path):
    command = [sys.executable, "tests/growth", "--runs", "20", "30", "--out", tmp_path]
    subprocess.run(command, cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": "."}, check=True)
    with open(tmp_path / "growth.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["command"], row["runs"]) for row in rows] == [
        (name, runs) for runs in ("20", "30") for name in ("status", "report", "pull")
    ]
    assert all(
        float(row["wall_seconds"]) > 0 and float(row["peak_resident_mb"]) > 10 for row in rows
    )
