"""Registries of what a configuration refers to by name: blocks, data sets, optimisers, probes.

A definition is registered by a decorator:

    @BLOCKS.register("basic", layers=2)
    class BasicBlock(Block): ...

A configuration is checked before torch is imported: composing a sweep, `--help` and the parent
process of a pool never import it. The registrations in this package's own files are therefore read
from their source, and the arguments of `register` must be literals. A definition elsewhere (a
notebook, a test, a user's own module) becomes known when its module is imported.
"""

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

Definition = TypeVar("Definition")
PACKAGE = Path(__file__).parent
VISIBLE = "[!.]*"  # a pattern of file names; macOS leaves ._x.py beside x.py on some file systems


@dataclass(frozen=True)
class Entry:
    """One registration: the module that holds the definition, its name there, and its facts."""

    module: str
    qualified_name: str
    facts: Mapping[str, Any]


class Registry:
    """Definitions of one kind by name, with the facts that validating a configuration needs.

    Args:
        variable: the name of the registry in this module, as in `@BLOCKS.register`
        kind: the word for an entry in messages
        folder: the subpackage of `degradation` whose files hold the built-in definitions
    """

    def __init__(self, variable: str, kind: str, folder: str) -> None:
        self.variable = variable
        self.kind = kind
        self.folder = folder
        self._imported: dict[str, Entry] = {}
        self._definitions: dict[str, Any] = {}

    def register(self, name: str, **facts: Any) -> Callable[[Definition], Definition]:
        """Return a decorator that registers a class or function under `name`.

        Registering the same definition again replaces it, so that a notebook cell can be run twice.

        Raises:
            ValueError: another definition has the name.
        """

        def decorate(definition: Definition) -> Definition:
            module = getattr(definition, "__module__", "")
            qualified_name = getattr(definition, "__qualname__", repr(definition))
            entry = Entry(module, qualified_name, facts)
            earlier = self._entries.get(name)
            if earlier is not None and _place(earlier) != _place(entry):
                place = ".".join(_place(earlier))
                raise ValueError(f"{self.kind} {name!r}: is registered already, by {place}")
            self._imported[name] = entry
            self._definitions[name] = definition
            return definition

        return decorate

    def unregister(self, name: str) -> None:
        """Remove a definition that was registered outside the package. Raises KeyError."""
        del self._imported[name]
        del self._definitions[name]

    def names(self) -> tuple[str, ...]:
        """Return the registered names, sorted."""
        return tuple(sorted(self._entries))

    def facts(self, name: str) -> Mapping[str, Any]:
        """Return the keyword arguments of a registration, without importing it. Raises KeyError."""
        return self._entries[name].facts

    def module(self, name: str) -> str:
        """Return the name of the module that holds the definition. Raises KeyError."""
        return self._entries[name].module

    def load(self, name: str) -> Any:
        """Return the registered class or function; imports its module. Raises KeyError."""
        entry = self._entries[name]
        if name not in self._definitions:
            importlib.import_module(entry.module)
        return self._definitions[name]

    @property
    def _entries(self) -> dict[str, Entry]:
        return self._built_in | self._imported

    @cached_property
    def _built_in(self) -> dict[str, Entry]:
        """The registrations in the package's own files, read from their source."""
        entries: dict[str, Entry] = {}
        for path in sorted((PACKAGE / self.folder).glob(f"{VISIBLE}.py")):
            for name, entry in self._read_registrations(path):
                if name in entries:
                    raise ValueError(f"{path}: the {self.kind} {name!r} is registered twice")
                entries[name] = entry
        return entries

    def _read_registrations(self, path: Path) -> Iterator[tuple[str, Entry]]:
        """Yield (name, entry) of each decorated definition at the top level of a file."""
        source = path.read_text(encoding="utf-8")
        if f"@{self.variable}.register(" not in source:  # parsing is slower than searching
            return
        module = f"{__package__}.{self.folder}.{path.stem}"
        for definition in ast.parse(source).body:
            if not isinstance(definition, ast.ClassDef | ast.FunctionDef):
                continue
            for decorator in definition.decorator_list:
                if isinstance(decorator, ast.Call) and self._is_register(decorator.func):
                    name, facts = _literal_arguments(decorator, path)
                    yield name, Entry(module, definition.name, facts)

    def _is_register(self, function: ast.expr) -> bool:
        return ast.unparse(function) == f"{self.variable}.register"


def _place(entry: Entry) -> tuple[str, str]:
    return entry.module, entry.qualified_name


def _literal_arguments(call: ast.Call, path: Path) -> tuple[str, dict[str, Any]]:
    """Return the name and the facts of a `register` call. Raises ValueError."""
    try:
        (name,) = [ast.literal_eval(argument) for argument in call.args]
        facts = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except ValueError:
        raise ValueError(
            f"{path}:{call.lineno}: register takes one name and keyword arguments, all literals"
        ) from None
    return name, facts


BLOCKS = Registry("BLOCKS", "block", "models")
DATASETS = Registry("DATASETS", "data set", "data")
OPTIMIZERS = Registry("OPTIMIZERS", "optimiser", "optimizers")
PROBES = Registry("PROBES", "probe", "probes")
SHAPES = Registry("SHAPES", "shape of the schedule", "schedules")
