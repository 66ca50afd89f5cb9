"""The first cell: it does nothing in a clone, and installs the project where there is none."""

import importlib.util
import subprocess
from pathlib import Path

import nbformat
import pytest
from IPython.core.inputtransformer2 import TransformerManager

from notebooks.execute import NOTEBOOK

ADDRESS = "https://example.org/project.git"


class Shell:
    """Stands in for the notebook's shell, and notes the magics that are called."""

    def __init__(self):
        self.magics = []

    def run_line_magic(self, name, line):
        self.magics.append(f"{name} {line}")


@pytest.fixture
def run_cell(monkeypatch):
    """Return a function that runs the cell, and returns the commands and the magics it called."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "install"]
    commands = []
    monkeypatch.setattr(
        subprocess, "run", lambda command, **_: commands.append([str(word) for word in command])
    )

    def run(address=""):
        source = cell.source.replace('REPOSITORY = ""', f'REPOSITORY = "{address}"')
        shell = Shell()
        exec(TransformerManager().transform_cell(source), {"get_ipython": lambda: shell})
        return commands, shell.magics

    return run


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)


def test_nothing_is_installed_twice(run_cell):
    assert run_cell(ADDRESS) == ([], [])


@pytest.mark.parametrize("folder", [".", "notebooks"])
def test_clone_without_its_kernel_says_what_to_do(run_cell, not_installed, monkeypatch, folder):
    monkeypatch.chdir(Path(__file__).parents[2] / folder)
    with pytest.raises(RuntimeError, match=r"^run `make setup`, then choose .* as this kernel$"):
        run_cell(ADDRESS)


@pytest.mark.usefixtures("not_installed")
def test_missing_address_is_one_line(run_cell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"^set REPOSITORY to the address"):
        run_cell()


@pytest.mark.usefixtures("not_installed")
def test_project_is_cloned_and_installed_elsewhere(run_cell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])
    commands, magics = run_cell(ADDRESS)
    clone = str(tmp_path / "resnet-degradation")
    assert [command[:2] + command[-2:] for command in commands] == [
        ["git", "clone", ADDRESS, clone]
    ]
    assert len(magics) == 1
    assert magics[0].startswith("pip install")
