"""An option that an experiment, its grid or a key replaces is named with what replaces it."""

import shutil

import pytest

from degradation.config import CONF, ConfigError, composition
from degradation.single_warnings import warn_once
from degradation.sweep.expand import expand_configs


@pytest.fixture(autouse=True)
def forget_messages():
    """Each message is logged once per process."""
    warn_once.cache_clear()


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["experiment=shortcuts_digits", "model=plain"],
            "model=plain: has no effect, since its model.shortcut (none) is replaced by that of"
            " the grid (none,A,B,C)",
        ),
        (
            ["model=plain", "model.shortcut=A"],
            "model=plain: has no effect, since its model.shortcut (none) is replaced by"
            " model.shortcut=A",
        ),
        (
            ["model.shortcut=A,B", "model=plain"],
            "model=plain: has no effect, since its model.shortcut (none) is replaced by"
            " model.shortcut=A,B",
        ),
    ],
    ids=str,
)
def test_option_without_effect_is_named(caplog, overrides, line):
    expand_configs(overrides)
    assert caplog.messages == [line]


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=plain", "model.shortcut=none"],  # the same value
        ["model=plain_preactivation", "model.shortcut=A"],  # its order remains
        ["optim=adam", "optim.lr=0.01"],
        ["schedule=paper", "schedule.iterations=900"],
        ["experiment=quick", "model=residual", "model.shortcut=B"],
        ["experiment=shortcuts_digits"],
    ],
    ids=str,
)
def test_option_with_an_effect_has_no_line(caplog, overrides):
    expand_configs(overrides)
    assert caplog.messages == []


def test_option_that_an_experiment_needs_has_no_line(caplog, tmp_path, monkeypatch):
    shutil.copytree(CONF, tmp_path / "conf")
    values = "# @package _global_\nschedule:\n  warmup:\n    lr: 0.005\n"
    (tmp_path / "conf/experiment/mine.yaml").write_text(values)
    monkeypatch.setattr(composition, "CONF", tmp_path / "conf")
    with pytest.raises(ConfigError):
        expand_configs(["experiment=mine"])  # schedule=step has no such section
    expand_configs(["experiment=mine", "schedule=paper", "schedule.iterations=900"])
    assert [line for line in caplog.messages if "schedule=paper: has no effect" in line] == []


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (
            ["experiment=paper", "optim=adam"],
            "optim=adam: experiment=paper keeps its own optim.lr (0.1, where the option has"
            " 0.001); add optim.lr=0.001 to use the option's",
        ),
        (
            ["experiment=deep", "probes=none"],
            "probes=none: experiment=deep keeps its own probes.afterwards"
            " ([identity,shattering,lesions], where the option has []);"
            " add 'probes.afterwards=[]' to use the option's",
        ),
    ],
    ids=str,
)
def test_value_of_the_experiment_is_named_with_its_override(caplog, overrides, line):
    expand_configs(overrides)
    assert caplog.messages == [line]


def test_each_option_of_a_sweep_needs_a_command_of_its_own(caplog):
    expand_configs(["experiment=paper", "optim=sgd,adam"])
    assert caplog.messages == [
        f"optim={name}: experiment=paper keeps its own optim.lr (0.1, where the option has {lr});"
        f" to use the option's, run optim={name} by itself with optim.lr={lr}"
        for name, lr in (("sgd", 0.01), ("adam", 0.001))
    ]


@pytest.mark.parametrize(
    ("overrides", "counts", "cause"),
    [
        (
            ["model=plain,residual", "model.shortcut=B"],
            "2 combinations but only 1 different run",
            "model.shortcut=B replaces what model=plain,residual selects",
        ),
        (
            ["model=plain,residual,preactivation", "model.shortcut=B"],
            "3 combinations but only 2 different runs",
            "model.shortcut=B replaces what model=plain,residual,preactivation selects",
        ),
        (
            ["model=plain,preactivation", "model.shortcut=B", "model.order=pre"],
            "2 combinations but only 1 different run",
            "model.shortcut=B and model.order=pre replace what model=plain,preactivation selects",
        ),
        (
            ["experiment=shortcuts_digits", "model=plain,residual", "seed=0"],
            "16 combinations but only 8 different runs",
            "model.shortcut=none,A,B,C of the grid replaces what model=plain,residual selects",
        ),
        (
            ["seed=0,0,1", "model=plain"],
            "3 combinations but only 2 different runs",
            "seed=0,0,1 gives 0 more than once",
        ),
    ],
    ids=str,
)
def test_cause_of_equal_runs_is_named(caplog, overrides, counts, cause):
    expand_configs(overrides)
    assert caplog.messages == [f"this sweep has {counts}: {cause}"]
