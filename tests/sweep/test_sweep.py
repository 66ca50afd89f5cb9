"""The command line end to end: sweep, skip, repair, status, report."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from analysis.conditions import split_by_condition
from analysis.frame import load
from degradation.config import CONF, default_margin
from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import State
from degradation.registry import DATASETS
from degradation.sweep.jobs import describe_planned_run, expand_runs

ROOT = CONF.parent
GRID = ["model=plain,residual", "model.depth=8,14", "seed=0,1", "probes=none"]


def python(script, *words, cwd):
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / script), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_quick_is_thirty_runs():
    runs = expand_runs(["experiment=quick"])
    assert len(runs) == 30
    assert {run.config.model.depth for run in runs} == {20, 32, 44, 56, 110}
    assert all(
        run.config.model.width == 16 and run.config.schedule.iterations == 400 for run in runs
    )
    assert all(run.config.optim.lr == 0.01 and run.config.precision.dtype == "fp32" for run in runs)


def test_paper_is_the_papers_protocol():
    for run in expand_runs(["experiment=paper", "seed=0"]):
        config = run.config
        assert (config.optim.lr, config.optim.momentum, config.optim.weight_decay) == (
            0.1,
            0.9,
            1e-4,
        )
        assert (config.optim.batch_size, config.data.pad, config.data.flip) == (128, 4, True)
        assert config.data.normalisation == "pixel"


def test_a_grid_is_narrowed_by_the_command_line():
    runs = expand_runs(["experiment=quick", "seed=0", "model.depth=20,56"])
    assert len(runs) == 4
    assert len(expand_runs(["model=plain"])) == 1


def test_two_experiments_that_share_a_run_share_its_id():
    one, two = (
        expand_runs(["experiment=quick"]),
        expand_runs(["model=plain", "device=cpu", "name=mine"]),
    )
    assert two[0].run_id in {run.run_id for run in one}


@pytest.mark.slow
def test_a_sweep_trains_once_repairs_what_is_missing_and_is_reported(tmp_path, tiny_overrides):
    words = ["-m", *tiny_overrides, *GRID, "name=mine"]
    first = python("train.py", *words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "8 runs: 8 done, 0 failed in" in first.stderr
    assert (tmp_path / "multirun" / f"{list_run_ids(tmp_path / 'runs')[0]}.log").read_text()
    ids = list_run_ids(tmp_path / "runs")
    assert len(ids) == 8

    again = python("train.py", *words, cwd=tmp_path)
    assert again.returncode == 0
    assert "8 runs: 8 done before, 0 failed in" in again.stderr
    assert all(
        sum("start" in row for row in Record(tmp_path / "runs", i).valid_prefix("attempts.jsonl"))
        == 1
        for i in ids
    )

    shutil.rmtree(tmp_path / "runs" / ids[3])
    status = python("status.py", *words, cwd=tmp_path)
    assert f"{ids[3]} " in status.stdout
    assert status.stdout.splitlines()[-1] in (
        "8 runs: 7 done, 1 missing",
        "8 runs: 1 missing, 7 done",
    )
    before = {i: (tmp_path / "runs" / i / "DONE").stat().st_mtime_ns for i in ids if i != ids[3]}
    third = python("train.py", *words, cwd=tmp_path)
    assert "8 runs: 1 done, 7 done before, 0 failed" in third.stderr
    assert {i: (tmp_path / "runs" / i / "DONE").stat().st_mtime_ns for i in before} == before
    assert list_run_ids(tmp_path / "runs") == ids

    report = python("report.py", *words, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert "mine: 8 runs (8 done)" in report.stdout
    assert (tmp_path / "reports/mine/report.html").exists()
    filtered = python(
        "report.py", "--records", "runs", "--where", "depth == 8", "--name", "shallow", cwd=tmp_path
    )
    assert "shallow: 4 runs (4 done)" in filtered.stdout


@pytest.mark.slow
def test_a_failing_run_is_told_recorded_and_the_others_finish(tmp_path, tiny_overrides):
    words = ["-m", *tiny_overrides, "data.pad=0,1", "seed=0,1"]
    ids = {
        run.config.seed: run.run_id
        for run in expand_runs([*tiny_overrides, "data.pad=1", "seed=0,1"])
    }
    broken = tmp_path / "runs" / ids[1]
    broken.mkdir(parents=True)
    (broken / "run.json").write_text(json.dumps({"schema_version": 1, "run_id": "something else"}))
    done = python("train.py", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert f"{ids[1]} failed: " in done.stderr
    assert "4 runs: 3 done, 1 failed" in done.stderr
    assert Record(tmp_path / "runs", ids[1]).state() is State.FAILED
    assert Record(tmp_path / "runs", ids[0]).state() is State.DONE


def test_a_bad_value_in_a_sweep_stops_it_before_anything_starts(tmp_path, tiny_overrides):
    done = python("train.py", "-m", *tiny_overrides, "model.depth=8,9", cwd=tmp_path)
    assert done.returncode != 0
    allowed = "6n+2 with basic blocks, such as 8, 20, 32, 44, 56"
    assert done.stderr == f"model.depth: 9 is not allowed; allowed: {allowed}\n"
    assert not list(tmp_path.iterdir())


def test_a_bad_filter_is_one_line(tmp_path):
    done = python("report.py", "--records", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{tmp_path}: contains no records"


@pytest.mark.parametrize("name", DATASETS.names())
def test_every_data_set_has_a_margin(name):
    assert default_margin(name) == (2.0 if name == "digits" else 0.5)


@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_stopped_sweep_says_so_and_goes_on_from_there(tmp_path, tiny_overrides, how):
    """The signal goes to the whole process group, as a terminal and a cluster send it."""
    words = [
        "-m",
        *tiny_overrides,
        "schedule.iterations=100000",
        "schedule.evaluate_every=1000",
        "seed=0,1,2",
    ]
    sweep = [sys.executable, str(ROOT / "experiments/train.py"), *words]
    with subprocess.Popen(
        sweep, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as started:
        while len(list(tmp_path.glob("runs/*/metrics.jsonl"))) < 2:
            assert started.poll() is None
            time.sleep(0.05)  # the condition is polled; the sleep decides nothing
        os.killpg(started.pid, how)
        told = started.stderr.read()
        assert started.wait() == 128 + how
    assert "Traceback" not in told
    assert "failed" not in told
    assert "0 of 3 runs done; run the same command again to continue" in told
    states = [
        run.record.state() for run in expand_runs([*words[1:], f"record_root={tmp_path / 'runs'}"])
    ]
    assert states == [State.PARTIAL, State.PARTIAL, State.MISSING]
    assert len(list(tmp_path.glob("runs/*/checkpoint.pt"))) == 2


@pytest.mark.slow
def test_a_stopped_single_run_ends_with_the_signals_status(tmp_path, tiny_overrides):
    words = [*tiny_overrides, "schedule.iterations=100000", "schedule.evaluate_every=1000"]
    command = [sys.executable, str(ROOT / "experiments/train.py"), *words]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as started:
        while not list(tmp_path.glob("runs/*/metrics.jsonl")):
            assert started.poll() is None
            time.sleep(0.05)
        started.send_signal(signal.SIGINT)
        told = started.stderr.read()
        assert started.wait() == 130
    assert "its checkpoint is saved" in told
    assert "Traceback" not in told


def test_the_papers_grid_is_one_condition():
    """Its 110-layer nets alone have a warm-up."""
    frame = load(
        "nowhere",
        [describe_planned_run(run) for run in expand_runs(["experiment=paper", "seed=0"])],
    )
    assert [label for label, _ in split_by_condition(frame)] == [""]
    assert len(frame.runs) == 10


TOO_EARLY = "hydra.launcher.signal_delay_s=45 hydra.launcher.timeout_min=1 hydra/launcher=slurm"


@pytest.mark.parametrize(
    "words", ["threads=0", "hydra.launcher.slots=0", "name=../../evil", TOO_EARLY]
)
def test_a_bad_value_for_the_launcher_is_one_line_and_nothing_is_written(
    tmp_path, tiny_overrides, words
):
    folder = tmp_path / "a/b"
    folder.mkdir(parents=True)
    done = python("train.py", "-m", *tiny_overrides, *words.split(), cwd=folder)
    assert done.returncode != 0
    assert done.stderr.startswith(f"{words.split('=')[0]}: ")
    assert "Traceback" not in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_the_degradation_and_its_fix_show_on_digits(tmp_path):
    """A part of `quick`, with its real networks and schedule: 20 and 56 layers, three seeds."""
    words = ["experiment=quick", "model.depth=20,56", "tracking=disabled"]
    assert python("train.py", *words, cwd=tmp_path).returncode == 0
    report = python("report.py", *words, cwd=tmp_path)
    line = re.compile(
        r"^  (\S.*?) +(reproduced|contradicted|inconclusive|not tested) ", re.MULTILINE
    )
    verdicts = dict(line.findall(report.stdout))
    told = ("degradation", "no degradation", "the fix", "healthy norms, residual")
    assert {name: verdicts[name] for name in told} == dict.fromkeys(told, "reproduced"), (
        report.stdout
    )
    assert (
        verdicts["healthy norms, plain"] == "contradicted"
    )  # gradients explode backwards at initialisation
