"""The command line end to end: sweep, skip, repair, status, report."""

import json
import shutil
import subprocess
import sys

import pytest

from degradation.config import CONF
from degradation.data.datasets import load
from degradation.grid import expand
from degradation.models.cifar import Network
from degradation.records.schema import State
from degradation.records.store import Record, run_ids

ROOT = CONF.parent
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
GRID = ["model=plain,residual", "model.depth=8,14", "seed=0,1"]


def python(script, *words, cwd):
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments" / script), *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_its_networks_build(experiment):
    runs = expand([f"experiment={experiment}"])
    assert len({run.run_id for run in runs}) == len(runs)
    assert {run.config.name for run in runs} == {experiment}
    for model in {tuple(vars(run.config.model).values()): run.config.model for run in runs}.values():
        Network(model, 1, 10)


def test_quick_is_thirty_runs():
    runs = expand(["experiment=quick"])
    assert len(runs) == 30
    assert {run.config.model.depth for run in runs} == {20, 32, 44, 56, 110}
    assert all(run.config.model.width == 16 and run.config.schedule.iterations == 400 for run in runs)
    assert all(run.config.optim.lr == 0.01 and run.config.precision.dtype == "fp32" for run in runs)


def test_paper_is_the_papers_protocol():
    for run in expand(["experiment=paper"]):
        config = run.config
        assert (config.optim.lr, config.optim.momentum, config.optim.weight_decay) == (0.1, 0.9, 1e-4)
        assert (config.optim.batch_size, config.data.pad, config.data.flip) == (128, 4, True)
        assert config.data.normalisation == "pixel"


def test_a_grid_is_narrowed_by_the_command_line():
    runs = expand(["experiment=quick", "seed=0", "model.depth=20,56"])
    assert len(runs) == 4
    assert len(expand(["model=plain"])) == 1


def test_two_experiments_that_share_a_run_share_its_id():
    one, two = expand(["experiment=quick"]), expand(["model=plain", "device=cpu", "name=mine"])
    assert two[0].run_id in {run.run_id for run in one}


def test_a_sweep_trains_once_repairs_what_is_missing_and_is_reported(tmp_path, tiny_overrides):
    words = ["-m", *tiny_overrides, *GRID, "name=mine"]
    first = python("train.py", *words, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert "8 runs: 8 done, 0 failed in" in first.stderr
    ids = run_ids(tmp_path / "runs")
    assert len(ids) == 8

    again = python("train.py", *words, cwd=tmp_path)
    assert again.returncode == 0
    assert "8 runs: 8 done before, 0 failed in" in again.stderr
    assert all(sum("start" in row for row in Record(tmp_path / "runs", i).rows("attempts.jsonl")) == 1 for i in ids)

    shutil.rmtree(tmp_path / "runs" / ids[3])
    status = python("status.py", *words, cwd=tmp_path)
    assert f"{ids[3]} " in status.stdout
    assert status.stdout.splitlines()[-1] in ("8 runs: 7 done, 1 missing", "8 runs: 1 missing, 7 done")
    before = {i: (tmp_path / "runs" / i / "DONE").stat().st_mtime_ns for i in ids if i != ids[3]}
    third = python("train.py", *words, cwd=tmp_path)
    assert "8 runs: 1 done, 7 done before, 0 failed" in third.stderr
    assert {i: (tmp_path / "runs" / i / "DONE").stat().st_mtime_ns for i in before} == before
    assert run_ids(tmp_path / "runs") == ids

    report = python("report.py", *words, cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert "mine: 8 runs (8 done)" in report.stdout
    assert (tmp_path / "reports/mine/report.html").exists()
    filtered = python("report.py", "--records", "runs", "--where", "depth == 8", "--name", "shallow", cwd=tmp_path)
    assert "shallow: 4 runs (4 done)" in filtered.stdout


def test_a_failing_run_is_told_recorded_and_the_others_finish(tmp_path, tiny_overrides):
    root = tmp_path / "pictures"
    words = ["-m", *tiny_overrides, "data.pad=0,1", "seed=0,1"]
    ids = {run.config.seed: run.run_id for run in expand([*tiny_overrides, "data.pad=1", "seed=0,1"])}
    broken = tmp_path / "runs" / ids[1]
    broken.mkdir(parents=True)
    (broken / "run.json").write_text(json.dumps({"schema_version": 1, "run_id": "something else"}))
    done = python("train.py", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert f"failed: {ids[1]}: " in done.stderr
    assert "4 runs: 3 done, 1 failed" in done.stderr
    assert Record(tmp_path / "runs", ids[1]).state() is State.FAILED
    assert Record(tmp_path / "runs", ids[0]).state() is State.DONE
    assert not root.exists()


def test_a_bad_value_in_a_sweep_stops_it_before_anything_starts(tmp_path, tiny_overrides):
    done = python("train.py", "-m", *tiny_overrides, "model.depth=8,9", cwd=tmp_path)
    assert done.returncode != 0
    refusal, *rest = done.stderr.splitlines()
    assert refusal == "model.depth: 9 is not allowed; allowed: 6n+2 with basic blocks, such as 8, 20, 32, 44, 56"
    assert [line for line in rest if line] == [
        "Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace."
    ]
    assert not (tmp_path / "runs").exists()


def test_a_bad_filter_is_one_line(tmp_path):
    done = python("report.py", "--records", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == f"{tmp_path}: holds no record"


@pytest.mark.slow
def test_the_degradation_and_its_fix_show_on_digits(tmp_path):
    """A part of `quick`, with its real networks and schedule: 20 and 56 layers, two seeds."""
    words = ["experiment=quick", "model.depth=20,56", "seed=0,1", "tracking=disabled"]
    assert python("train.py", *words, cwd=tmp_path).returncode == 0
    report = python("report.py", *words, cwd=tmp_path)
    verdicts = {line[2:17].strip(): line[18:31].strip() for line in report.stdout.splitlines() if line[2:3].strip()}
    assert verdicts["degradation"] in ("reproduced", "inconclusive"), report.stdout  # two seeds: a wide interval
    assert verdicts["no degradation"] == "reproduced", report.stdout
    digits = load(expand(words)[0].config.data)
    assert len(digits.train.labels) == 1500
