"""Sweeps on the command line, end to end: train, skip, repair, stop, status, report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from analysis.frame import load
from degradation.cli import RUNS_FAILED_STATUS
from degradation.config import CONF, default_margin
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import ATTEMPTS_FILE, State
from degradation.registry import DATASETS
from degradation.sweep.planned_runs import describe_planned_run
from degradation.sweep.runs import expand_runs
from tests.support.conditions import list_labels

EXPERIMENTS = CONF.parent / "experiments"
SWEEP = ["model=plain,residual", "model.depth=8,14", "seed=0,1", "probes=none"]


def run_script(script, *arguments, cwd):
    return subprocess.run(
        [sys.executable, str(EXPERIMENTS / script), *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_quick_has_thirty_runs():
    runs = expand_runs(["experiment=quick"])
    assert len(runs) == 30
    assert {run.config.model.depth for run in runs} == {20, 32, 44, 56, 110}
    for run in runs:
        assert (run.config.model.width, run.config.schedule.iterations) == (16, 400)
        assert (run.config.optim.lr, run.config.precision.dtype) == (0.01, "fp32")


def test_paper_follows_the_papers_protocol():
    for run in expand_runs(["experiment=paper", "seed=0"]):
        optim, data = run.config.optim, run.config.data
        assert (optim.lr, optim.momentum, optim.weight_decay) == (0.1, 0.9, 1e-4)
        assert (optim.batch_size, data.pad, data.flip) == (128, 4, True)
        assert data.normalisation == "pixel"


def test_overrides_narrow_a_sweep():
    runs = expand_runs(["experiment=quick", "seed=0", "model.depth=20,56"])
    assert len(runs) == 4
    assert len(expand_runs(["model=plain"])) == 1


def test_experiments_share_the_ids_of_equal_runs():
    quick = expand_runs(["experiment=quick"])
    (run,) = expand_runs(["model=plain", "device=cpu", "name=mine"])
    assert run.run_id in {quick_run.run_id for quick_run in quick}


@pytest.mark.slow
def test_sweep_trains_once_and_repairs_what_is_missing(tmp_path, tiny_overrides):
    arguments = ["-m", *tiny_overrides, *SWEEP, "name=mine"]
    root = tmp_path / "runs"
    first = run_script("train.py", *arguments, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "8 runs: 8 done, 0 failed in" in first.stderr
    ids = list_run_ids(root)
    assert len(ids) == 8
    assert (tmp_path / "multirun" / f"{ids[0]}.log").read_text()

    again = run_script("train.py", *arguments, cwd=tmp_path)
    assert again.returncode == 0
    assert "8 runs: 8 done before, 0 failed in" in again.stderr
    for run_id in ids:
        attempts = Record(root, run_id).valid_prefix(ATTEMPTS_FILE)
        assert sum("start" in row for row in attempts) == 1

    missing = ids[3]
    shutil.rmtree(root / missing)
    status = run_script("status.py", *arguments, cwd=tmp_path)
    assert f"{missing} " in status.stdout
    assert status.stdout.splitlines()[-1] in (
        "8 runs: 7 done, 1 missing",
        "8 runs: 1 missing, 7 done",
    )
    others = [run_id for run_id in ids if run_id != missing]
    before = [(root / run_id / "DONE").stat().st_mtime_ns for run_id in others]
    third = run_script("train.py", *arguments, cwd=tmp_path)
    assert "8 runs: 1 done, 7 done before, 0 failed" in third.stderr
    assert [(root / run_id / "DONE").stat().st_mtime_ns for run_id in others] == before
    assert list_run_ids(root) == ids

    report = run_script("report.py", *arguments, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert "mine: 8 runs (8 done)" in report.stdout
    assert (tmp_path / "reports/mine/report.html").exists()
    selection = ["--records", "runs", "--where", "depth == 8", "--name", "shallow"]
    selected = run_script("report.py", *selection, cwd=tmp_path)
    assert "shallow: 4 runs (4 done)" in selected.stdout


@pytest.mark.slow
def test_failed_run_is_reported_and_the_others_finish(tmp_path, tiny_overrides):
    runs = expand_runs([*tiny_overrides, "data.pad=1", "seed=0,1"])
    healthy, corrupt = (run.run_id for run in runs)
    folder = tmp_path / "runs" / corrupt
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"schema_version": 1, "run_id": "something else"}))
    arguments = ["-m", *tiny_overrides, "data.pad=0,1", "seed=0,1"]
    completed = run_script("train.py", *arguments, cwd=tmp_path)
    assert completed.returncode == RUNS_FAILED_STATUS
    assert f"{corrupt} failed: " in completed.stderr
    assert "4 runs: 3 done, 1 failed" in completed.stderr
    assert "Error executing job" not in completed.stderr  # Hydra's own line before an error
    assert "Traceback" not in completed.stderr
    assert Record(tmp_path / "runs", corrupt).state() is State.FAILED
    assert Record(tmp_path / "runs", healthy).state() is State.DONE


@pytest.mark.slow
def test_failed_single_run_is_one_line(tmp_path, tiny_overrides):
    (run,) = expand_runs(tiny_overrides)
    folder = tmp_path / "runs" / run.run_id
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"schema_version": 1, "run_id": "something else"}))
    completed = run_script("train.py", *tiny_overrides, cwd=tmp_path)
    assert completed.returncode == 1
    assert completed.stderr.startswith(f"{run.run_id}: ")
    assert completed.stderr.count("\n") == 1


def test_bad_value_stops_a_sweep_before_it_starts(tmp_path, tiny_overrides):
    arguments = ["-m", *tiny_overrides, "model.depth=8,9"]
    completed = run_script("train.py", *arguments, cwd=tmp_path)
    assert completed.returncode != 0
    allowed = "6n+2 with basic blocks, such as 8, 20, 32, 44, 56"
    assert completed.stderr == f"model.depth: 9 is not allowed; allowed: {allowed}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow  # the fast tests of bad commands have the same one, without a process
def test_report_without_records_is_one_line(tmp_path):
    completed = run_script("report.py", "--records", str(tmp_path), cwd=tmp_path)
    assert completed.returncode == 1
    assert completed.stderr.strip() == f"{tmp_path}: contains no records"


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_data_set_has_a_margin(name):
    assert default_margin(name) == (2.0 if name == "digits" else 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stopped_sweep_says_how_to_continue(tmp_path, tiny_overrides, signum):
    """The signal goes to the whole process group, as a terminal and a cluster send it."""
    overrides = [
        *tiny_overrides,
        "schedule.iterations=100000",
        "schedule.evaluate_every=1000",
        "seed=0,1,2",
    ]
    command = [sys.executable, str(EXPERIMENTS / "train.py"), "-m", *overrides]
    with subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        while len(list(tmp_path.glob("runs/*/metrics.jsonl"))) < 2:
            assert process.poll() is None
            time.sleep(
                0.05
            )  # the loop waits for the condition; the sleep only limits how often it is checked
        os.killpg(process.pid, signum)
        output = process.stderr.read()
        assert process.wait() == 128 + signum
    assert "Traceback" not in output
    assert "failed" not in output
    assert "0 of 3 runs done; run the same command again to continue" in output
    runs = expand_runs([*overrides, f"record_root={tmp_path / 'runs'}"])
    assert [run.record.state() for run in runs] == [State.PARTIAL, State.PARTIAL, State.MISSING]
    assert len(list(tmp_path.glob("runs/*/checkpoint.pt"))) == 2


@pytest.mark.slow
def test_stopped_single_run_exits_with_the_signals_status(tmp_path, tiny_overrides):
    overrides = [*tiny_overrides, "schedule.iterations=100000", "schedule.evaluate_every=1000"]
    command = [sys.executable, str(EXPERIMENTS / "train.py"), *overrides]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("runs/*/metrics.jsonl")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output = process.stderr.read()
        assert process.wait() == 130
    assert "its checkpoint is saved" in output
    assert "Traceback" not in output


def test_paper_is_one_condition():
    """Although only its 110-layer networks have a warm-up."""
    runs = expand_runs(["experiment=paper", "seed=0"])
    frame = load("nowhere", [describe_planned_run(run) for run in runs])
    assert list_labels(frame) == [""]
    assert len(frame.runs) == 10


SIGNAL_TOO_EARLY = (
    "hydra.launcher.signal_delay_s=45 hydra.launcher.timeout_min=1 hydra/launcher=slurm"
)


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    "overrides",
    [
        "threads=0",
        "hydra.launcher.slots=0",
        "name=../../evil",
        pytest.param(SIGNAL_TOO_EARLY, marks=pytest.mark.slow),
    ],
)
def test_bad_launcher_value_is_one_line_and_leaves_nothing(tmp_path, tiny_overrides, overrides):
    folder = tmp_path / "a/b"
    folder.mkdir(parents=True)
    arguments = ["-m", *tiny_overrides, *overrides.split()]
    completed = run_script("train.py", *arguments, cwd=folder)
    assert completed.returncode != 0
    assert completed.stderr.startswith(f"{overrides.split('=')[0]}: ")
    assert "Traceback" not in completed.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_degradation_and_its_fix_show_on_digits(tmp_path):
    """A part of `quick`, with its own networks and schedule: 20 and 44 layers, three seeds."""
    overrides = ["experiment=quick", "model.depth=20,44", "tracking=disabled"]
    assert run_script("train.py", *overrides, cwd=tmp_path).returncode == 0
    # the verdicts, without the figures, which take minutes
    report = run_script("report.py", "--tables", *overrides, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    contents = json.loads((tmp_path / "reports/quick-depth-20_44/report.json").read_text())
    verdicts = {claim["claim"]: claim["verdict"] for claim in contents["verdicts"]}
    claims = ("degradation", "no degradation", "the fix", "healthy gradients, residual")
    expected = dict.fromkeys(claims, "reproduced")
    # gradients explode in the backward pass at initialisation
    expected["healthy gradients, plain"] = "contradicted"
    assert {name: verdicts[name] for name in expected} == expected
