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
from functools import partial
from pathlib import Path

import pytest

from degradation.durable_io import decode_row
from degradation.sweep.jobs import locate_run
from tests.support.recipes import THREE_ITERATIONS, read_recipe

ROOT = Path(__file__).parents[2]
SCHEMA, VALUES = "src/degradation/config/schema.py", "conf/schedule/step.yaml"
SCHEDULE, RUN_ID = "src/degradation/training/schedule.py", "src/degradation/run_id.py"
TEST_CASE = "tests/training/test_schedule.py"


def insert(path: Path, line: int, code: str, indent: int) -> None:
    """Insert code before a line (from 1) of a file."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines.insert(line - 1, textwrap.indent(code, " " * indent))
    path.write_text("".join(lines), encoding="utf-8")


def append(path: Path, code: str) -> None:
    path.write_text(f"{path.read_text(encoding='utf-8')}\n{code}", encoding="utf-8")


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
    for name in ("src", "conf", "analysis", "experiments", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("ledger"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    recipe = read_recipe("A configuration key")
    schedule_class = find_definition(tmp_path / SCHEMA, "Schedule")
    insert(tmp_path / SCHEMA, schedule_class.end_lineno + 1, recipe[SCHEMA], indent=4)
    first_statement = find_definition(tmp_path / SCHEDULE, "learning_rate").body[1]
    insert(tmp_path / SCHEDULE, first_statement.lineno, recipe[SCHEDULE], indent=4)
    table = find_table(tmp_path / RUN_ID, "HASH_DEFAULTS")
    insert(tmp_path / RUN_ID, table, recipe[RUN_ID], indent=4)
    for path in (VALUES, TEST_CASE):
        append(tmp_path / path, recipe[path])
    return tmp_path


@pytest.fixture
def run_python(project):
    """Run Python with the copy's packages."""
    environment = {**os.environ, "PYTHONPATH": f"{project / 'src'}{os.pathsep}{project}"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=project, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def run_train(run_python, tiny_overrides):
    """Run the copy's train.py with a tiny network for three iterations."""
    return partial(run_python, "experiments/train.py", *tiny_overrides, *THREE_ITERATIONS)


def test_new_key_is_read_by_the_training(project, run_train):
    completed = run_train("schedule.linear=true", "optim.lr=0.3")
    assert completed.returncode == 0, completed.stderr
    (path,) = project.glob("runs/*/metrics.jsonl")
    rates = [decode_row(line)["lr"] for line in path.read_bytes().splitlines(keepends=True)]
    assert rates == pytest.approx([0.3, 0.2, 0.1])


def test_recipes_test_case_passes(run_python):
    completed = run_python("-m", "pytest", "-q", TEST_CASE, "-k", "linear_rate")
    assert completed.returncode == 0, completed.stdout


def test_new_key_keeps_ids_and_rejects_other_values(project, run_train, short):
    assert run_train().returncode == 0
    (folder,) = project.glob("runs/*/metrics.jsonl")
    assert folder.parent.name == locate_run(short()).run_id
    refused = run_train("schedule.linear=7up")
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "schedule.linear: '7up' is not allowed; allowed: true or false"
    )
