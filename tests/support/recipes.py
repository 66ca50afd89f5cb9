"""Read the code of the recipes in CONTRIBUTING.md, and install it for the duration of a test."""

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"
BLOCK = re.compile(r"^```\w*\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

THREE_ITERATIONS = [
    "schedule.iterations=3",
    "schedule.milestones=[]",
    "schedule.snapshots=[]",
    "schedule.evaluate_every=1",
]


def read_recipe(title: str) -> dict[str, str]:
    """Return the code of a recipe by the path of the file that it belongs in."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n### {title}\n")[2]
    section = section.partition("\n### ")[0]
    recipe = dict(BLOCK.findall(section))
    assert recipe, f"CONTRIBUTING.md has no recipe {title!r} with code"
    return recipe


def read_examples(page: str) -> dict[str, str]:
    """Return the code of all examples of a page of docs/ by the name of the user's file."""
    return dict(BLOCK.findall((PAGE.parent / "docs" / page).read_text(encoding="utf-8")))


@contextmanager
def added_module(path: str, code: str, folder: Path) -> Iterator[ModuleType]:
    """Import code as the package module that its path names, which the package lists meanwhile."""
    parts = PurePosixPath(path.removeprefix("src/")).with_suffix("").parts
    package = importlib.import_module(".".join(parts[:-1]))
    name = ".".join(parts)
    file = folder / package.__name__ / f"{parts[-1]}.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code)
    search_path: Any = package.__path__
    package.__path__ = [*search_path, str(file.parent)]
    importlib.invalidate_caches()
    try:
        yield importlib.import_module(name)
    finally:
        package.__path__ = search_path
        sys.modules.pop(name, None)
        vars(package).pop(parts[-1], None)


def execute(code: str, module: ModuleType, path: str) -> dict[str, Any]:
    """Run code as if it were at the end of a module, and return the names that it defines."""
    names = dict(vars(module))
    before = dict(names)
    exec(compile(code, path, "exec"), names)
    return {name: value for name, value in names.items() if before.get(name) is not value}
