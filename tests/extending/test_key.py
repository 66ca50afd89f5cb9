"""CONTRIBUTING.md, "A configuration key": the schema, conf/, the code that reads it, the ids.

A key is no registration: the recipe's lines are put into a copy of the sources, and a copy of
train.py trains three iterations with them.
"""

import ast
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from degradation.durable_io import decode_row
from degradation.sweep.jobs import locate_run
from tests.support.recipes import read_recipe

ROOT = Path(__file__).parents[2]
SCHEMA, VALUES = "src/degradation/config/schema.py", "conf/schedule/step.yaml"
SCHEDULE, RUN_ID = "src/degradation/training/schedule.py", "src/degradation/run_id.py"


def insert(path: Path, line: int, code: str, indent: int) -> None:
    """Insert code before a line (from 1) of a file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.insert(line - 1, textwrap.indent(code, " " * indent))
    path.write_text("".join(lines), encoding="utf-8")


def find_definition(path: Path, name: str) -> ast.ClassDef | ast.FunctionDef:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    raise AssertionError(f"{path} does not define {name}")


def find_table(path: Path, name: str) -> int:
    """Return the line of a table's first entry."""
    lines = path.read_text(encoding="utf-8").splitlines()
    (line,) = [number for number, text in enumerate(lines, 1) if text.startswith(f"{name}: ")]
    return line + 1


@pytest.fixture
def project(tmp_path):
    """A copy of the project in which the recipe has been followed."""
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.egg-info"))
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments/train.py", tmp_path / "experiments")
    recipe = read_recipe("A configuration key")
    schedule_class = find_definition(tmp_path / SCHEMA, "Schedule")
    insert(tmp_path / SCHEMA, schedule_class.end_lineno + 1, recipe[SCHEMA], indent=4)
    first_statement = find_definition(tmp_path / SCHEDULE, "learning_rate").body[1]
    insert(tmp_path / SCHEDULE, first_statement.lineno, recipe[SCHEDULE], indent=4)
    table = find_table(tmp_path / RUN_ID, "HASH_DEFAULTS")
    insert(tmp_path / RUN_ID, table, recipe[RUN_ID], indent=4)
    with (tmp_path / VALUES).open("a") as values:
        values.write(recipe[VALUES])
    return tmp_path


@pytest.fixture
def run_train(project, tiny_overrides):
    """Run the copy's train.py with a tiny network for three iterations."""
    overrides = [*tiny_overrides, "schedule.iterations=3", "schedule.evaluate_every=1",
                 "schedule.milestones=[]", "schedule.snapshots=[]"]  # fmt: skip

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "experiments/train.py", *overrides, *more],
            cwd=project, env={**os.environ, "PYTHONPATH": str(project / "src")},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_new_key_is_read_by_the_training(project, run_train):
    completed = run_train("schedule.linear=true", "optim.lr=0.3")
    assert completed.returncode == 0, completed.stderr
    (path,) = project.glob("runs/*/metrics.jsonl")
    rates = [decode_row(line)["lr"] for line in path.read_bytes().splitlines(keepends=True)]
    assert rates == pytest.approx([0.3, 0.2, 0.1])


def test_new_key_keeps_ids_and_rejects_other_values(project, run_train, tiny, short):
    assert run_train().returncode == 0
    (folder,) = project.glob("runs/*/metrics.jsonl")
    assert folder.parent.name == locate_run(short()).run_id
    refused = run_train("schedule.linear=7up")
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "schedule.linear: '7up' is not allowed; allowed: true or false"
    )
