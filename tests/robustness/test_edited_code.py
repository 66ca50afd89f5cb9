"""Stale results: what a user sees who edits the code and repeats the command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS, AUGMENT = "models/blocks.py", "data/augment.py"
OPTIMIZER, SCHEDULE = "optimizers/sgd.py", "schedules/step.py"
SEEDS = "seed=0,1"

DRAWS = """    crop = torch.randint(-data.pad, data.pad + 1, (2, batch_size), generator=generator)
    if data.flip:
        flip = torch.rand(batch_size, generator=generator) < 0.5
    else:
        flip = torch.zeros(batch_size, dtype=torch.bool)
"""
DRAWS_IN_ANOTHER_ORDER = """    flip = torch.rand(batch_size, generator=generator) < 0.5
    if not data.flip:
        flip = torch.zeros(batch_size, dtype=torch.bool)
    crop = torch.randint(-data.pad, data.pad + 1, (2, batch_size), generator=generator)
"""
# what is edited: file, old text, new text
CHANGES_OF_NUMBERS = {
    "scale of a block": (BLOCKS, "\n        return y\n", "\n        return 0.5 * y\n"),
    "order of the draws": (AUGMENT, DRAWS, DRAWS_IN_ANOTHER_ORDER),
    "weight decay": (
        OPTIMIZER,
        "weight_decay=optim.weight_decay,",
        "weight_decay=2 * optim.weight_decay,",
    ),
    "size of a drop": (
        SCHEDULE,
        "schedule.factor ** (passed_milestones + plateaus)",
        "schedule.factor ** (2 * (passed_milestones + plateaus))",
    ),
}
REFACTORINGS = {
    "docstring": (AUGMENT, '"""Draw a crop for each image', '"""Draw one crop for each image'),
    "local": (SCHEDULE, "passed_milestones", "milestones_so_far"),
}


@pytest.fixture
def project(tmp_path):
    """A copy of the code."""
    return copy_code(tmp_path / "project")


def copy_code(folder):
    for name in ("src", "conf", "analysis", "experiments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("ledger"))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_overrides):
    """The records of the tiny sweep, trained by unedited code."""
    folder = tmp_path_factory.mktemp("trained")
    run_script(
        copy_code(folder / "project"), "train", *tiny_overrides, f"record_root={folder}/runs"
    )
    return folder / "runs"


@pytest.fixture
def run(project, trained, tmp_path, tiny_overrides):
    """Return a function: script and overrides -> what it prints about the trained tiny sweep."""
    root = shutil.copytree(trained, tmp_path / "runs")
    return lambda script, *overrides: run_script(
        project, script, *tiny_overrides, *overrides, f"record_root={root}"
    )


def run_script(project, script, *overrides):
    """Return what a script of this copy of the code prints about two runs."""
    completed = subprocess.run(
        [sys.executable, f"experiments/{script}.py", "-m", SEEDS, *overrides],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{project / 'src'}{os.pathsep}{project}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout + completed.stderr


def edit(project, file, old, new):
    path = project / "src/degradation" / file
    source = path.read_text()
    assert source.count(old) >= 1
    path.write_text(source.replace(old, new))


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES_OF_NUMBERS.values(), ids=CHANGES_OF_NUMBERS)
def test_edit_that_changes_numbers_is_seen(project, run, change):
    edit(project, *change)
    printed = run("train")
    assert "2 runs: 2 outdated" in printed
    assert printed.count(f"(changed: {change[0]}); retrain_outdated=true") == 2


@pytest.mark.slow
def test_outdated_runs_are_retrained_on_request(project, run):
    edit(project, *CHANGES_OF_NUMBERS["size of a drop"])
    assert "2 runs: 2 outdated" in run("status")
    assert "2 runs: 2 done" in run("train", "retrain_outdated=true")
    assert "2 runs: 2 done before" in run("train")


@pytest.mark.slow
@pytest.mark.parametrize("change", REFACTORINGS.values(), ids=REFACTORINGS)
def test_refactoring_retrains_nothing(project, run, change):
    edit(project, *change)
    assert "2 runs: 2 done before" in run("train")
    assert "2 runs: 2 done" in run("status")


@pytest.mark.slow
def test_weights_of_outdated_runs_are_not_probed(project, run):
    edit(project, *CHANGES_OF_NUMBERS["scale of a block"])
    assert "2 runs: 2 outdated" in run("explain")
