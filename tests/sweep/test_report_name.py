"""The name of a report: readable, stable, a valid file name, and never that of other runs."""

from functools import cache
from pathlib import Path

import pytest
from PIL import Image

from degradation.config import NAME
from degradation.sweep import report_name
from degradation.sweep.runs import expand_runs


@pytest.fixture(autouse=True)
def _expand_the_whole_once(monkeypatch):
    monkeypatch.setattr(report_name, "expand_runs", lambda overrides: expand(*overrides))


@cache
def expand(*overrides):
    return expand_runs(list(overrides))


def compute_name(*overrides):
    return report_name.name_report(overrides, expand(*overrides))


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["device=auto", "threads=2", "tracking=disabled", "probes=none", "landscape.square=3"],
        ["hydra/launcher=slurm", "hydra.launcher.partition=gpu"],
        pytest.param(["seed=range(0,3)", "model.depth=110,56,44,32,20"], marks=pytest.mark.slow),
        ["optim.momentum=0.9", "record_root=./runs"],
    ],
    ids=["nothing", "devices", "launcher", "the same grid", "the same values"],
)
def test_arguments_that_change_no_run_keep_the_name(overrides):
    assert compute_name("experiment=quick", *overrides) == "quick"


def test_key_that_is_given_twice_is_named_once():
    overrides = ["model=residual", "model=plain", "seed=0", "optim.lr=0.01", "optim.lr=0.1"]
    assert compute_name("experiment=quick", *overrides) == "quick-model-plain-lr-0.1-seed-0"


def test_title_does_not_say_where_the_records_are():
    root = "record_root=experiments/ledger/quick/records.zip"
    for others, title in (([], "quick"), (["seed=0"], "quick-seed-0")):
        overrides = ["experiment=quick", root, *others]
        assert report_name.name_report(overrides, expand(*overrides), names_root=False) == title
        assert compute_name(*overrides) != title


@pytest.mark.slow
@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["seed=0", "model.depth=56,20", "device=cpu"], "quick-depth-20_56-seed-0"),
        (["seed=0,1,2", "model.depth=20,56"], "quick-depth-20_56"),
        (["optim.lr=0.02"], "quick-lr-0.02"),
        (["schedule.milestones=[100,200]"], "quick-milestones-100+200"),
        (["model=plain", "precision=bf16"], "quick-model-plain-precision-bf16"),
        (["training_error=augmented"], "quick-training_error-augmented"),
        (["report.titles=neutral"], "quick-titles-neutral"),
        (["record_root=other"], "quick-record_root-other"),
        (["name=quick", "seed=0"], "quick-seed-0"),
        (["name=mine", "seed=0"], "mine"),
    ],
)
def test_part_or_variant_has_a_name_of_its_own(overrides, name):
    assert compute_name("experiment=quick", *overrides) == name


@pytest.mark.slow
def test_names_are_short_valid_and_distinct(tmp_path):
    small = ["model=plain", "model.depth=20", "seed=0"]
    variants = [
        [*small, f"record_root={tmp_path / 'one/runs'}"],
        [*small, f"record_root={tmp_path / 'two/runs'}"],
        [*small, f"record_root={tmp_path / ('x' * 200)}"],
        [*small, "record_root='récords of: mine?'"],
        [*small[:2], "seed=range(1000,1022)"],
        [*small[:2], "seed=range(1000,1023)"],
        [*small[:2], "hydra.sweeper.params.seed=0"],
    ]
    names = [compute_name("experiment=quick", *variant) for variant in variants]
    assert len({*names, "quick"}) == len(variants) + 1
    for name in names:
        assert NAME.accepts(name)
        assert name.isascii()
        assert Path(name).name == name
        assert name.startswith("quick-")


def test_folders_of_images_are_told_apart(tmp_path):
    names = []
    for folder in ("one", "two"):
        for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
            (tmp_path / folder / place).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / folder / place / f"{folder}.png")
        data = ["data=image_folder", f"data.root={tmp_path / folder}", "data.flip=false"]
        names.append(compute_name("experiment=quick", "seed=0", *data))
    assert len(set(names)) == 2


def test_sweep_without_an_experiment_keeps_its_name():
    assert compute_name("model=plain,residual", "seed=0") == "custom"
    assert compute_name("model=plain,residual", "name=mine") == "mine"
