"""Registries of what a configuration refers to by name, such as blocks, networks and data sets.

A definition is registered by a decorator:

    @BLOCKS.register("basic", layers=2)
    class BasicBlock(Block): ...

A configuration is checked before torch is imported: composing a sweep, `--help` and the parent
process of a pool never import it. The registrations in this package's own files are therefore read
from their source, and the arguments of `register` must be literals. A definition elsewhere (a
notebook, a test) becomes known when its module is imported.

Blocks and networks in a user's own file are not listed by name: a reference to the file,
`my_module:MyBlock` or `path/to/file.py:MyBlock`, takes the place of the name everywhere
(`degradation.external_code`).
"""

import importlib
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from degradation.external_code import (
    ExternalCodeError,
    find_definition,
    find_file,
    is_external_module,
    is_reference,
    load_definition,
)
from degradation.registrations import (
    Entry,
    read_decorators,
    read_reference,
    read_registrations,
)

Definition = TypeVar("Definition")
PACKAGE = Path(__file__).parent
VISIBLE = "[!.]*"  # a pattern of file names; macOS leaves ._x.py beside x.py on some file systems


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
        A definition in a file that a reference names is known by the reference only.

        Raises:
            ValueError: another definition has the name.
        """

        def decorate(definition: Definition) -> Definition:
            module = getattr(definition, "__module__", "")
            qualified_name = getattr(definition, "__qualname__", repr(definition))
            if is_external_module(module):
                return definition
            entry = Entry(module, qualified_name, facts, _list_own_attributes(definition))
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
        """Return the keyword arguments of a registration, without importing it.

        Raises KeyError, or for a reference to a file ExternalCodeError.
        """
        return self._find_entry(name).facts

    def methods(self, name: str) -> frozenset[str]:
        """Return the methods that a registered class defines itself. Raises like `facts`."""
        return self._find_entry(name).methods

    def identify(self, name: str) -> str:
        """Return how records name a definition: a file's one with a hash. Raises like `facts`."""
        return find_definition(name).identity if is_reference(name) else name

    def list_references(self, place: str) -> list[str]:
        """Return the references to the definitions registered in a user's file, or an empty list.

        `place`: the file, as a reference names it: my_module, or path/to/file.py.
        """
        try:
            path, nodes = find_file(place)
            return [
                f"{place}:{name}"
                for name, node in nodes.items()
                if list(read_decorators(self.variable, node, path))
            ]
        except (ExternalCodeError, OSError, ValueError):
            return []

    def is_built_in(self, name: str) -> bool:
        """Return whether a definition is one of this package's own."""
        return name in self._built_in

    def module(self, name: str) -> str:
        """Return the name of the module that holds the definition. Raises KeyError."""
        return self._entries[name].module

    def load(self, name: str) -> Any:
        """Return the registered class or function; imports its module. Raises like `facts`."""
        if is_reference(name):
            return load_definition(find_definition(name))
        entry = self._entries[name]
        if name not in self._definitions:
            importlib.import_module(entry.module)
        return self._definitions[name]

    @property
    def _entries(self) -> dict[str, Entry]:
        return self._built_in | self._imported

    def _find_entry(self, name: str) -> Entry:
        if is_reference(name):
            return read_reference(self.variable, self.kind, name)
        return self._entries[name]

    @cached_property
    def _built_in(self) -> dict[str, Entry]:
        """The registrations in the package's own files, read from their source."""
        entries: dict[str, Entry] = {}
        for path in sorted((PACKAGE / self.folder).glob(f"{VISIBLE}.py")):
            module = f"{__package__}.{self.folder}.{path.stem}"
            for name, entry in read_registrations(self.variable, path, module):
                if name in entries:
                    raise ValueError(f"{path}: the {self.kind} {name!r} is registered twice")
                entries[name] = entry
        return entries


def _place(entry: Entry) -> tuple[str, str]:
    return entry.module, entry.qualified_name


def _list_own_attributes(definition: Any) -> frozenset[str]:
    """Return what a class and its bases define, except for those of this package and of torch."""
    names: set[str] = set()
    for base in getattr(definition, "__mro__", ()):
        if base.__module__.partition(".")[0] not in (__package__, "torch", "builtins"):
            names |= vars(base).keys()
    return frozenset(names)


BLOCKS = Registry("BLOCKS", "block", "models")
NETWORKS = Registry("NETWORKS", "network", "models")
DATASETS = Registry("DATASETS", "data set", "data")
OPTIMIZERS = Registry("OPTIMIZERS", "optimiser", "optimizers")
PROBES = Registry("PROBES", "probe", "probes")
SHAPES = Registry("SHAPES", "shape of the schedule", "schedules")
