"""The code of the recipes in CONTRIBUTING.md, and modules that hold it during a test."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCK = re.compile(r"^```\w*\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def read_recipe(title: str) -> dict[str, str]:
    """Return the code of a recipe by the path of the file that it belongs in."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {title}\n")[2]
    section = section.partition("\n### ")[0]
    recipe = dict(BLOCK.findall(section))
    assert recipe, f"CONTRIBUTING.md has no recipe {title!r} with code"
    return recipe


def add_module(monkeypatch: pytest.MonkeyPatch, folder: Path, package: str, path: str) -> Path:
    """Let a package find modules in a folder too; return where the module of `path` belongs."""
    module = importlib.import_module(package)
    monkeypatch.setattr(module, "__path__", [*module.__path__, str(folder)])
    return folder / Path(path).name


def execute(code: str, module: ModuleType, path: str) -> dict[str, object]:
    """Run code as if it stood at the end of a module, and return the names that it defines."""
    names = dict(vars(module))
    before = dict(names)
    exec(compile(code, path, "exec"), names)
    return {name: value for name, value in names.items() if before.get(name) is not value}
