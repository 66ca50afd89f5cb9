"""What an override does not do, although it seems to, is one line; some sweeps are refused."""

import shutil

import pytest

from degradation.config import CONF, ConfigError, composition
from degradation.single_warnings import warn_once
from degradation.sweep.expand import check_command_line, expand_configs
from degradation.sweep.runs import expand_runs, find_record_root, note_missing_root


@pytest.fixture(autouse=True)
def forget_messages():
    """Each message is logged once per process."""
    warn_once.cache_clear()


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize(
    ("overrides", "lines"),
    [
        (
            ["experiment=natural", "schedule=paper"],
            [
                "schedule=paper: experiment=natural keeps its own"
                " schedule.iterations (19200, where the option has 64000),"
                " schedule.evaluate_every (0.083333, where the option has 0.03125);"
                " add schedule.iterations=64000 schedule.evaluate_every=0.03125"
                " to use the option's"
            ],
        ),
        (
            ["experiment=natural", "schedule=short,paper", "seed=0", "model.depth=20"],
            [
                "schedule=short: experiment=natural keeps its own schedule.iterations (19200,",
                "schedule=paper: experiment=natural keeps its own schedule.iterations (19200,",
                "schedule.warmup.max_iterations: has no effect on the runs of this sweep;",
            ],
        ),
        (
            ["experiment=short", "schedule.warmup.lr=0.001"],
            ["schedule.warmup.lr=0.001: has no effect on these runs"],
        ),
        (
            ["experiment=quick", "model.shortcut=B", "model.depth=20", "seed=0"],
            [
                "this sweep has 2 combinations but only 1 different run: model.shortcut=B replaces"
                " what model=plain,residual of the grid selects"
            ],
        ),
        (
            ["experiment=natural", "schedule=paper", "schedule.iterations=900", "seed=0"],
            ["schedule"],
        ),
        (["experiment=short", "data.resize=bilinear"], ["data.resize=bilinear: has no effect"]),
        (
            ["experiment=deep", "probes=none"],
            ["probes=none: experiment=deep keeps its own probes."],
        ),
        (
            ["experiment=quick", "seed=0,1,2", "model.depth=20", "seed=5"],
            ["seed=0,1,2: is replaced by seed=5, which is given later"],
        ),
        (["experiment=quick", "seed=0", "model.depth=20"], []),
        (["experiment=quick", "optim.lr=0.02", "data.margin=1", "device=cpu"], []),
        (["experiment=short", "schedule.warmup.lr=0.001", "model.depth=20,110"], []),
    ],
    ids=str,
)
def test_lines(caplog, overrides, lines):
    expand_configs(overrides)
    assert len(caplog.messages) == len(lines)
    for message, line in zip(caplog.messages, lines, strict=True):
        assert message.startswith(line)


@pytest.mark.parametrize("experiment", ["quick", "natural", "construction_digits"])
def test_experiments_themselves_have_no_line(caplog, experiment):
    expand_configs([f"experiment={experiment}"])
    assert caplog.messages == []


@pytest.mark.parametrize("overrides", [[], ["landscape.seed=0,1"], ["landscape.square=51,101"]])
def test_jobs_that_share_a_run_are_not_equal_runs(caplog, overrides):
    check_command_line(["experiment=quick", "seed=0", *overrides], "landscape", True, True)
    assert caplog.messages == []


@pytest.mark.parametrize(
    "override",
    ["training_error=clean,running", "data.margin=0,5", "record_root=a,b", "report.titles=a,b"],
)
def test_one_report_has_one_value(override):
    key = override.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"^{key}: several values are not allowed"):
        check_command_line(["model=plain", override], "config", True, True)
    # report, status and others do not start a sweep
    with pytest.raises(ConfigError, match=rf"^{key}: several values are not allowed"):
        expand_configs(["model=plain", override])


def test_single_run_has_a_line_for_a_value_without_effect(caplog):
    overrides = ["model.depth=8", "data.pad=0", "data.normalise=after_padding"]
    check_command_line(overrides, "config", False, True)
    assert caplog.messages == ["data.normalise=after_padding: has no effect on these runs"]


def test_number_of_loading_processes_is_not_said_to_have_no_effect(caplog, tmp_path):
    """It changes no number, but how long loading takes."""
    overrides = ["experiment=imagenet", f"data.root={tmp_path}", "data.stream.workers=3"]
    expand_configs([*overrides, "seed=0"])
    assert caplog.messages == []


def test_single_run_of_an_experiment_that_states_no_mode_is_refused(tmp_path, monkeypatch):
    shutil.copytree(CONF, tmp_path / "conf")
    grid = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      model.depth: 8,14\n"
    (tmp_path / "conf/experiment/mine.yaml").write_text(grid)
    monkeypatch.setattr(composition, "CONF", tmp_path / "conf")
    with pytest.raises(ConfigError, match=r"^hydra.mode: RUN trains one run, but model.depth of"):
        check_command_line(["experiment=mine"], "config", False, True)


def test_single_run_of_a_grid_is_refused():
    line = r"^hydra.mode: RUN trains one run, but model.depth, seed of .* allowed: MULTIRUN"
    grid = ["experiment=quick", "hydra.mode=RUN", "model=plain"]
    with pytest.raises(ConfigError, match=line):
        check_command_line(grid, "config", False, True)
    assert check_command_line([*grid, "model.depth=20", "seed=1"], "config", False, True) is None


def test_missing_record_root_is_noted_if_it_was_typed(caplog, tmp_path):
    missing = tmp_path / "rnus"
    note_missing_root(["model=plain"], missing)
    note_missing_root([f"record_root={tmp_path}"], tmp_path)
    assert caplog.messages == []
    note_missing_root([f"record_root={missing}"], missing)
    assert caplog.messages == [
        f"record_root: '{missing}' does not exist, so all runs are missing; training would create"
        " it"
    ]


def test_runs_of_one_report_have_one_record_root():
    runs = expand_runs(["model=plain", "data=digits", "seed=0,1", "record_root='runs/${seed}'"])
    with pytest.raises(ConfigError, match=r"^record_root: .* need one folder, not runs/0, runs/1$"):
        find_record_root(runs)
