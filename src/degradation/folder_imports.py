"""Execute a user's file so that its imports are resolved from its own folder, and from no other.

A module of the same name elsewhere, in the working directory or imported before, would change a
run's numbers under the same run id. Afterwards `sys.path` is as before, and the modules of a folder
that is not on it are no longer in `sys.modules`, so that no other code takes them for its own.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

# Modules that no file replaces: the standard library, this package and the running program.
PROTECTED_MODULES = {*sys.stdlib_module_names, __name__.partition(".")[0], "__main__"}

# {folder: its modules by name}: all files of a folder share them
_shared: dict[Path, dict[str, ModuleType]] = {}
# {file: its time of change in ns and its size, when its module was imported}
_stamps: dict[Path, tuple[int, int]] = {}


@contextmanager
def imports_from(folder: Path) -> Iterator[None]:
    """Within this context, imports look in `folder` first.

    Modules that they import from there stay in `sys.modules` only if the folder is on `sys.path`.
    Those whose files have been edited since are imported again.
    """
    is_on_path = folder in {Path(entry).absolute() for entry in sys.path}
    shadowing = _remove_modules(_list_shadowing(folder))
    sys.modules.update(_shared.get(folder, {}))
    _remove_modules(_list_edited(folder))
    path = str(folder)
    sys.path.insert(0, path)
    try:
        yield
    finally:
        if path in sys.path:  # unless the file has removed it
            sys.path.remove(path)
        imported = [name for name in sys.modules if _is_from(folder, name)]
        _note_stamps(imported)
        if not is_on_path:
            _shared[folder] = _remove_modules(imported)
        sys.modules.update(shadowing)


def _list_shadowing(folder: Path) -> list[str]:
    """Return the imported modules that have the name of another one in the folder."""
    names = {path.stem for path in folder.glob("*.py")}
    names |= {path.parent.name for path in folder.glob("*/__init__.py")}
    names -= PROTECTED_MODULES
    return [
        name
        for name in sys.modules
        if name.partition(".")[0] in names and not _is_from(folder, name)
    ]


def _list_edited(folder: Path) -> list[str]:
    """Return the imported modules of the folder, if the file of one of them has been edited.

    All of them are returned, since others may hold names of the edited one.
    """
    names = [name for name in sys.modules if _is_from(folder, name)]
    for file in _list_files(names):
        if _read_stamp(file) != _stamps.get(file, _read_stamp(file)):
            return names
    return []


def _note_stamps(names: Iterable[str]) -> None:
    for file in _list_files(names):
        _stamps[file] = _read_stamp(file)


def _list_files(names: Iterable[str]) -> list[Path]:
    files = [getattr(sys.modules[name], "__file__", None) for name in names]
    return [Path(file) for file in files if file is not None]


def _read_stamp(file: Path) -> tuple[int, int]:
    """Return when a file was changed, in ns, and its size; zeros if it no longer exists."""
    try:
        status = file.stat()
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _is_from(folder: Path, name: str) -> bool:
    """Return whether an imported module is the file, or the package, of this name in the folder."""
    module = sys.modules[name]
    base = folder.joinpath(*name.split("."))
    file = getattr(module, "__file__", None)
    if file is None:  # a package without __init__.py
        return str(base) in list(getattr(module, "__path__", []))
    return Path(file) in (base.with_name(f"{base.name}.py"), base / "__init__.py")


def _remove_modules(names: Iterable[str]) -> dict[str, ModuleType]:
    return {name: sys.modules.pop(name) for name in names}
