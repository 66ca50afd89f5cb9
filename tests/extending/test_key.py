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

from degradation.records.row_integrity import decode_row
from degradation.sweep.runs import expand_runs
from tests.support.recipes import THREE_ITERATIONS, read_recipe

ROOT = Path(__file__).parents[2]
SCHEMA, VALUES = "src/degradation/config/schema.py", "conf/schedule/step.yaml"
SCHEDULE, TEST_CASE = "src/degradation/training/schedule.py", "tests/training/test_schedule.py"
PRINT_RUN_IDS = """
import sys
from degradation.sweep.runs import expand_runs
print(*[run.run_id for run in expand_runs(sys.argv[1:])])
"""


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


@pytest.fixture
def project(tmp_path):
    """A copy of the project in which the recipe has been followed."""
    copy = tmp_path / "project"
    for name in ("src", "conf", "analysis", "experiments", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("ledger"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    recipe = read_recipe("A configuration key")
    schedule_class = find_definition(copy / SCHEMA, "Schedule")
    insert(copy / SCHEMA, schedule_class.end_lineno + 1, recipe[SCHEMA], indent=4)
    first_statement = find_definition(copy / SCHEDULE, "learning_rate").body[1]
    insert(copy / SCHEDULE, first_statement.lineno, recipe[SCHEDULE], indent=4)
    for path in (VALUES, TEST_CASE):
        append(copy / path, recipe[path])
    return copy


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


@pytest.mark.slow
def test_new_key_is_read_by_the_training(project, run_python, tiny_overrides):
    overrides = [*tiny_overrides, *THREE_ITERATIONS, "schedule.linear=true", "optim.lr=0.3"]
    completed = run_python("experiments/train.py", *overrides)
    assert completed.returncode == 0, completed.stderr
    (path,) = project.glob("runs/*/metrics.jsonl")
    rates = [decode_row(line)["lr"] for line in path.read_bytes().splitlines(keepends=True)]
    assert rates == pytest.approx([0.3, 0.2, 0.1])


@pytest.mark.slow
def test_new_keys_tests_pass(run_python):
    """The recipe's own test case, and the one that asks for a place in the paper's protocol."""
    protocol = "tests/analysis/test_paper_protocol.py"
    for path, name in ((TEST_CASE, "linear_rate"), (protocol, "no_key_of_the_configuration")):
        completed = run_python("-m", "pytest", "-q", path, "-k", name)
        assert completed.returncode == 0, completed.stdout  # 5 if no test has this name


@pytest.mark.slow
def test_new_key_keeps_the_ids_of_existing_runs(run_python):
    overrides = ["model=plain,residual", "schedule=step,paper"]
    completed = run_python("-c", PRINT_RUN_IDS, *overrides)
    assert completed.stdout.split() == [run.run_id for run in expand_runs(overrides)]


def test_new_key_rejects_values_of_another_type(run_python):
    completed = run_python("experiments/train.py", "schedule.linear=7up")
    assert completed.returncode == 1
    assert completed.stderr.startswith("schedule.linear: ")
    assert completed.stderr.endswith("; allowed: true or false\n")
