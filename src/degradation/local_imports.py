"""The modules that a user's file imports from its own folder, found without executing anything."""

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from degradation.folder_imports import PROTECTED_MODULES

# Folders of installed packages: a file there would have torch among the modules of its own folder.
INSTALLED = frozenset({"site-packages", "dist-packages"})


def find_imported_files(source: str, folder: Path, package: str) -> dict[str, Path]:
    """Return the files that source imports from a folder, by the dotted names of their modules.

    Imports anywhere in the source count, but those that code assembles (`importlib`) do not.

    Args:
        folder: from which imports are resolved.
        package: the dotted name of the package that holds the source, or "".
    """
    files: dict[str, Path] = {}
    if INSTALLED.isdisjoint(folder.parts):
        for name in list_imports(source, package):
            files |= _find_module(folder, name)
    return files


def name_package(module: str, file: Path) -> str:
    """Return the package that a module's relative imports start from."""
    return module if file.name == "__init__.py" else module.rpartition(".")[0]


@lru_cache(maxsize=128)
def list_imports(source: str, package: str) -> tuple[str, ...]:
    """Return the dotted names of what source imports, which may be modules or names in them."""
    return tuple(dict.fromkeys(_list_imports(ast.parse(source), package)))


def _list_imports(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def _find_module(folder: Path, name: str) -> dict[str, Path]:
    """Return the files of a module and of the packages that hold it, as far as they exist."""
    parts = name.split(".")
    if parts[0] in PROTECTED_MODULES:
        return {}
    files = {}
    for length in range(1, len(parts) + 1):
        base = folder.joinpath(*parts[:length])
        # a package precedes a module of the same name, as for Python
        for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
            if file.is_file():
                files[".".join(parts[:length])] = file
                break
    return files
