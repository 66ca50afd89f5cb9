"""Records that a selection lacks: those in subfolders, and all of a sweep's."""

import subprocess
import sys
import warnings

import pytest

from analysis.missing_records import describe_missing_sweep, describe_nested_records
from analysis.tables import load_runs
from degradation.errors import UserError
from degradation.records.schema import State
from degradation.sweep.runs import expand_runs
from tests.support.records import write_record

SWEEP = ["model=plain", "model.depth=8"]


def report(tmp_path, root, *overrides):
    """Run report.py and return the finished process; its reports are in tmp_path / "reports"."""
    command = [sys.executable, "experiments/report.py", "--reports", tmp_path / "reports"]
    arguments = [*SWEEP, *overrides, f"record_root={root}"]
    return subprocess.run([*command, *arguments], check=False, capture_output=True, text=True)


def test_records_in_subfolders_are_named(tmp_path):
    write_record(tmp_path, "a", State.DONE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_runs(tmp_path)
    write_record(tmp_path / "bundles", "b", State.DONE)
    with pytest.warns(UserWarning, match=r"excludes .* subfolders .*bundles.*pass the subfolder: "):
        runs = load_runs(tmp_path)
    assert runs["run_id"].tolist() == ["a"]
    assert load_runs(tmp_path / "bundles")["run_id"].tolist() == ["b"]
    assert describe_nested_records(tmp_path / "bundles") is None


def test_root_that_has_only_subfolders_names_them(tmp_path):
    write_record(tmp_path / "bundles", "b", State.DONE)
    with pytest.raises(UserError, match=r"pass the subfolder: .*bundles"):
        load_runs(tmp_path)


def test_values_of_a_sweep_are_listed_by_size(tmp_path, build_frame):
    write_record(tmp_path, "a", State.DONE)
    runs = build_frame({"plain": {8: [1.0], 20: [1.0], 56: [1.0]}}).runs
    planned = runs.assign(**{"config.schedule.iterations": [400, 60, None]})
    message = describe_missing_sweep(planned, tmp_path)
    assert "its schedule.iterations is 60, 400, null, recorded: 120" in message


@pytest.mark.slow
def test_sweep_without_records_gets_no_page(tmp_path):
    write_record(tmp_path / "runs", "a", State.DONE)
    result = report(tmp_path, tmp_path / "runs", "model.width=64")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("no run of this sweep has a record in ")
    assert "its schedule.iterations is 400, recorded: 120" in line
    assert not (tmp_path / "reports").exists()


@pytest.mark.slow
def test_unfinished_sweep_keeps_its_page(tmp_path):
    root = tmp_path / "runs"
    (run,) = expand_runs([*SWEEP, f"record_root={root}"])
    write_record(root, run.run_id)
    result = report(tmp_path, root)
    assert result.returncode == 0, result.stderr
    assert list(tmp_path.glob("reports/*/report.html"))
