"""`experiment=a,b` runs both grids; no option's own grid is ever ignored silently."""

import runpy
import shutil
import sys

import pytest
from hydra.errors import HydraException

from degradation.cli import RUNS_FAILED_STATUS, run_hydra_script
from degradation.config import CONF, ConfigError, composition
from degradation.sweep.expand import expand_configs
from degradation.sweep.runs import expand_runs
from tests.support.records import write_record

GRID = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      model.depth: 8,14\n"


class RunsFailed(HydraException):
    is_reported = True


@pytest.fixture
def conf_with(tmp_path, monkeypatch):
    """A function: path in conf/, content -> None; Hydra then reads a conf/ with this file."""

    def write(path, content):
        shutil.copytree(CONF, tmp_path / "conf")
        (tmp_path / "conf" / path).write_text(content)
        monkeypatch.setattr(composition, "CONF", tmp_path / "conf")

    return write


@pytest.fixture
def run_command_line(monkeypatch):
    """A function: overrides, fails -> (exit status, the overrides that Hydra received)."""

    def run(*overrides, fails=False):
        received = []

        def main():
            received.append(sys.argv[1:])
            if fails:
                raise RunsFailed("a run failed")

        monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
        monkeypatch.setattr(sys, "argv", ["train.py", *overrides])
        with pytest.raises(SystemExit) as ending:
            run_hydra_script(main, "config")
        return ending.value.code, received

    return run


@pytest.mark.slow
def test_grids_of_several_experiments_are_joined():
    both = expand_configs(["experiment=quick,shortcuts_digits", "seed=0"])
    quick = expand_configs(["experiment=quick", "seed=0"])
    shortcuts = expand_configs(["experiment=shortcuts_digits", "seed=0"])
    assert both == quick + shortcuts
    assert len(expand_runs(["experiment=choice(quick,shortcuts_digits)", "seed=0"])) == 14


def test_each_experiment_is_given_to_hydra_separately(run_command_line, capsys):
    status, received = run_command_line("experiment=quick,shortcuts_digits", "model.depth=8")
    assert status == 0
    assert received == [
        ["experiment=quick", "model.depth=8"],
        ["experiment=shortcuts_digits", "model.depth=8"],
    ]
    assert capsys.readouterr().err.splitlines() == [
        "experiment=quick",
        "experiment=shortcuts_digits",
    ]


def test_failed_runs_do_not_stop_the_next_experiment(run_command_line):
    status, received = run_command_line("experiment=quick,shortcuts_digits", fails=True)
    assert status == RUNS_FAILED_STATUS
    assert len(received) == 2


def test_mistake_in_one_experiment_stops_all_of_them(run_command_line, capsys):
    status, received = run_command_line("experiment=quick,qick")
    assert (status, received) == (1, [])
    assert capsys.readouterr().err.startswith("experiment: 'qick' is not allowed; allowed: ")


def test_typed_text_reaches_hydra_unchanged(run_command_line):
    assert run_command_line("name=2026_01_15", "seed=1_0") == (
        0,
        [["name='2026_01_15'", "seed=1_0"]],
    )


def test_one_name_for_several_experiments_is_refused():
    with pytest.raises(ConfigError, match=r"^name: is not allowed with several experiments"):
        expand_configs(["experiment=quick,shortcuts_digits", "name=mine"])
    assert expand_configs(["experiment=quick", "name=mine", "seed=0"])[0].name == "mine"


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(("group", "other"), [("model", "plain"), ("schedule", "paper")])
def test_swept_option_with_a_grid_of_its_own_is_refused(conf_with, group, other):
    defaults = f"defaults:\n  - /{group}/{other}@{group}\n  - _self_\n"
    conf_with(f"{group}/mine.yaml", f"# @package _global_\n{defaults}{GRID}")
    message = rf"^{group}: 'mine' has its own grid .*; allowed: one {group} at a time$"
    with pytest.raises(ConfigError, match=message):
        expand_configs([f"{group}={other},mine", "optim.lr=0.1,0.2"])
    assert len(expand_configs([f"{group}=mine"])) == 2


@pytest.mark.slow
def test_every_experiment_has_a_report_of_its_own(tmp_path, monkeypatch, capsys):
    narrow = ["seed=0", "model.depth=8", f"record_root={tmp_path}"]
    for experiment in ("quick", "shortcuts_digits"):  # without any record there is no report
        first = expand_runs([f"experiment={experiment}", *narrow])[0]
        write_record(tmp_path, first.run_id)
    arguments = [
        "report.py",
        "experiment=quick,shortcuts_digits",
        *narrow,
        "--reports",
        str(tmp_path / "reports"),
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ending:
        runpy.run_path(str(CONF.parent / "experiments/report.py"), run_name="__main__")
    assert ending.value.code == 0
    printed = capsys.readouterr().out
    pages = sorted((tmp_path / "reports").glob("*/report.html"))
    assert len(pages) == 2
    for page, name, runs in zip(pages, ("quick", "shortcuts_digits"), (2, 4), strict=True):
        assert page.parent.name.startswith(name)
        assert f"experiment={name} seed=0" in page.read_text()
        assert f"{page.parent.name}: {runs} runs" in printed
