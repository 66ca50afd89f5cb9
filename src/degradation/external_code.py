"""A definition in a file of the user's own: `my_module:MyBlock` or `path/to/file.py:MyBlock`.

A module is searched for in the working directory, then in the folders of `sys.path`, which begin
with those of PYTHONPATH. Its source is read and parsed first, without running it, so that a sweep
is checked without importing torch, and executed only where the network is built.

In records a definition is identified by its name and a hash of its file, such as
`my_module:MyBlock@1f2e3d4c5b6a`. The folder is not part of it, nor are comments and formatting.
The hash covers the modules that the file imports from its own folder too, and those that they
import from there. Modules elsewhere, such as those of an installed package, are not covered.
"""

import ast
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from degradation.errors import UserError
from degradation.folder_imports import imports_from
from degradation.local_imports import INSTALLED, find_imported_files, name_package
from degradation.source_hash import HASH_DIGITS, hash_source, hash_text

REFERENCE = re.compile(r"(?P<place>[^:@]*[^:@/\s]):(?P<name>[^\W\d]\w*)")
IDENTITY = re.compile(rf"[^:@/]+:[^\W\d]\w*@[0-9a-f]{{{HASH_DIGITS}}}")
DOTTED_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
MODULE_PREFIX = "external_"  # of the names under which files are executed

DefinitionNode = ast.ClassDef | ast.FunctionDef


class ExternalCodeError(UserError):
    """A file or a definition in it cannot be used. The message is the end of a sentence."""


@dataclass(frozen=True)
class ExternalDefinition:
    """A class or function at the top level of a user's file.

    Attributes:
        folder: from which the file's own imports are resolved.
        package: the dotted name of the package that holds the file, or "".
        node: the definition in the syntax tree.
        definitions: all definitions at the top level of the file, by name.
        source_hash: of the whole file and of what it imports from its own folder.
    """

    path: Path
    folder: Path
    package: str
    source: str
    node: DefinitionNode
    definitions: Mapping[str, DefinitionNode]
    source_hash: str

    @property
    def identity(self) -> str:
        """What records hold: the names of the file and the definition, and the file's hash."""
        stem = self.path.parent.name if self.path.stem == "__init__" else self.path.stem
        return f"{stem}:{self.node.name}@{self.source_hash}"

    @property
    def module(self) -> str:
        """The name of the module under which the file is executed; other code has another name."""
        stem = self.path.stem.replace(".", "_")  # a dot would begin the name of a submodule
        name = f"{MODULE_PREFIX}{stem}_{self.source_hash}"
        return f"{self.package}.{name}" if self.package else name


def is_reference(name: str) -> bool:
    """Return whether a name has the form `module:Name` or `path/to/file.py:Name`."""
    return REFERENCE.fullmatch(name) is not None


def is_identity(name: str) -> bool:
    """Return whether a name is what records hold in place of a reference."""
    return IDENTITY.fullmatch(name) is not None


def is_external_module(name: str) -> bool:
    """Return whether a module is the file of a reference."""
    return name.rpartition(".")[2].startswith(MODULE_PREFIX)


def locate_error(error: BaseException) -> str | None:
    """Return the file and line of a user's own code that raised an error, or None.

    It is the last of the user's lines that were being executed.
    """
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if is_external_module(str(frame.f_globals.get("__name__", ""))):
            place = f"{Path(frame.f_code.co_filename).name}, line {line}"
    return place


def find_definition(reference: str) -> ExternalDefinition:
    """Return the definition that a reference names, from its source. Raises ExternalCodeError."""
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise ExternalCodeError("it is not of the form module:Name or path/to/file.py:Name")
    path, folder, package = _find_file(match["place"])
    source, nodes, _ = _read_current_file(path)
    if match["name"] not in nodes:
        defined = ", ".join(nodes) or "nothing"
        raise ExternalCodeError(f"{path} defines no {match['name']}, but {defined}")
    node = nodes[match["name"]]
    source_hash = _hash_with_imports(path, folder, package)
    return ExternalDefinition(path, folder, package, source, node, nodes, source_hash)


def hash_module(name: str) -> str:
    """Return the hash of an imported module and of what it imports from its own folder.

    Of an installed package, only the module itself is hashed. Raises ExternalCodeError; also if the
    module has no file, as in a notebook.
    """
    file = getattr(sys.modules[name], "__file__", None)
    if file is None:
        raise ExternalCodeError(f"{name} has no file")
    path = Path(file).absolute()
    if INSTALLED.intersection(path.parts):
        _, _, source_hash = _read_current_file(path)
        return source_hash
    package, _, _ = name.rpartition(".")
    depth = len(package.split(".")) if package else 0
    if path.stem == "__init__":
        package, depth = name, depth + 1
    return _hash_with_imports(path, path.parents[depth], package)


def _hash_with_imports(path: Path, folder: Path, package: str) -> str:
    """Return the hash of a file and of all files that it imports from the folder.

    It is that of the file alone if it imports none. Raises ExternalCodeError.
    """
    source, _, source_hash = _read_current_file(path)
    imported = find_imported_files(source, folder, package)
    pending = list(imported)
    hashes: dict[str, str] = {}
    while pending:
        module = pending.pop()
        file = imported[module]
        source, _, hashes[module] = _read_current_file(file)
        files = find_imported_files(source, folder, name_package(module, file))
        pending += [name for name in files if name not in imported]
        imported |= files
    hashes = {name: digest for name, digest in hashes.items() if imported[name] != path}
    if not hashes:
        return source_hash
    return hash_text(repr((source_hash, sorted(hashes.items()))))


def find_file(place: str) -> tuple[Path, Mapping[str, DefinitionNode]]:
    """Return a user's file, named by its module or path, and its definitions by name.

    Raises ExternalCodeError.
    """
    path, _, _ = _find_file(place)
    _, nodes, _ = _read_current_file(path)
    return path, nodes


def _find_file(place: str) -> tuple[Path, Path, str]:
    """Return a file, the folder that its imports start from, and the package that holds it."""
    if "/" in place or place.endswith(".py"):
        path = Path(place).expanduser()
        path = path.parent.resolve() / path.name  # without .., which messages would show
        if not path.is_file():
            raise ExternalCodeError(f"there is no file {path}")
        return path, path.parent, ""
    if not DOTTED_NAME.fullmatch(place):
        raise ExternalCodeError(f"{place!r} is not the name of a module")
    package, _, _ = place.rpartition(".")
    for folder, path in _list_candidates(place):
        if path.is_file():
            return path, folder, package
    file = f"{place.replace('.', '/')}.py"
    raise ExternalCodeError(f"there is no {file} in the working directory or on PYTHONPATH")


def _list_candidates(module: str) -> Iterator[tuple[Path, Path]]:
    """Yield (folder, file) of each place where a module may be, in the order of the search."""
    parts = module.split(".")
    for entry in ("", *sys.path):
        folder = Path(entry).absolute()
        base = folder.joinpath(*parts)
        yield folder, base.with_name(f"{base.name}.py")
        yield folder, base / "__init__.py"


def _read_current_file(path: Path) -> tuple[str, dict[str, DefinitionNode], str]:
    """Return what `_read_file` does. Raises ExternalCodeError."""
    try:
        status = path.stat()
        return _read_file(path, status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise ExternalCodeError(f"{path} cannot be read ({error.strerror})") from None


@lru_cache(maxsize=128)
def _read_file(
    path: Path, _mtime_ns: int, _size: int
) -> tuple[str, dict[str, DefinitionNode], str]:
    """Return a file's source, its definitions by name, and its hash; read again if it changes.

    Raises ExternalCodeError, OSError.
    """
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except SyntaxError as error:
        raise ExternalCodeError(
            f"{path}:{error.lineno} is not valid Python ({error.msg})"
        ) from None
    except ValueError as error:  # not UTF-8, or with null bytes
        raise ExternalCodeError(f"{path} is not valid Python ({error})") from None
    nodes = {node.name: node for node in tree.body if isinstance(node, DefinitionNode)}
    return source, nodes, hash_source(source)


def load_definition(definition: ExternalDefinition) -> Any:
    """Return a class or function; execute its file if it has not been, from this folder.

    Exactly the source that has been hashed is executed, not a cached compilation of it. Its imports
    are resolved from its folder first (`degradation.folder_imports`).
    """
    module = sys.modules.get(definition.module)
    if module is None or module.__file__ != str(definition.path):
        spec = importlib.util.spec_from_file_location(definition.module, definition.path)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[definition.module] = module
        try:
            with imports_from(definition.folder):
                if definition.package:
                    importlib.import_module(definition.package)
                exec(compile(definition.source, str(definition.path), "exec"), vars(module))
        except BaseException:
            del sys.modules[definition.module]
            raise
    return getattr(module, definition.node.name)
