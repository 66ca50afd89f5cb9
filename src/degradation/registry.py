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

import ast
import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from degradation.external_code import (
    DefinitionNode,
    ExternalCodeError,
    find_definition,
    find_file,
    is_external_module,
    is_reference,
    load_definition,
)
from degradation.registered_facts import find_wrong_fact

Definition = TypeVar("Definition")
PACKAGE = Path(__file__).parent
VISIBLE = "[!.]*"  # a pattern of file names; macOS leaves ._x.py beside x.py on some file systems


@dataclass(frozen=True)
class Entry:
    """One registration: the module that holds the definition, its name there, and its facts.

    `methods` holds the names of the methods that a class defines itself, or inherits from a user's
    own classes, as far as they are known.
    """

    module: str
    qualified_name: str
    facts: Mapping[str, Any]
    methods: frozenset[str] = frozenset()


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
                if list(self._read_decorators(node, path))
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
        return self._read_reference(name) if is_reference(name) else self._entries[name]

    def _read_reference(self, reference: str) -> Entry:
        """Return the registration of a definition in a user's file, from its source."""
        definition = find_definition(reference)
        node, place = definition.node, f"{definition.path}:{definition.node.lineno}"
        if self.variable == BLOCKS.variable:
            _check_block_class(node, place)
        try:
            registrations = list(self._read_decorators(node, definition.path))
        except ValueError as error:
            raise ExternalCodeError(str(error)) from None
        if len(registrations) != 1:
            count = len(registrations) or "no"
            raise ExternalCodeError(
                f"{place} has {count} registrations as a {self.kind}:"
                f" @{self.variable}.register(...) above {node.name}"
            )
        ((_, facts),) = registrations
        problem = find_wrong_fact(self.variable, facts)
        if problem is not None:
            raise ExternalCodeError(f"the registration at {place} {problem}")
        methods = _list_methods(node, definition.definitions)
        return Entry(definition.module, node.name, facts, methods)

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
            if not isinstance(definition, DefinitionNode):
                continue
            for name, facts in self._read_decorators(definition, path):
                yield name, Entry(module, definition.name, facts, _list_methods(definition, {}))

    def _read_decorators(
        self, definition: DefinitionNode, path: Path
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the facts of each registration of a definition. Raises ValueError."""
        for decorator in definition.decorator_list:
            if isinstance(decorator, ast.Call) and self._is_register(decorator.func):
                yield _literal_arguments(decorator, path)

    def _is_register(self, function: ast.expr) -> bool:
        return ast.unparse(function) == f"{self.variable}.register"


def _place(entry: Entry) -> tuple[str, str]:
    return entry.module, entry.qualified_name


def _check_block_class(node: DefinitionNode, place: str) -> None:
    """Raise ExternalCodeError if a definition cannot be a block, as far as the source shows it."""
    if not isinstance(node, ast.ClassDef) or not node.bases:
        raise ExternalCodeError(
            f"{node.name} at {place} is not a class that derives from Block or from a block"
        )


def _list_methods(
    node: DefinitionNode, definitions: Mapping[str, DefinitionNode]
) -> frozenset[str]:
    """Return the methods of a class, including those of its bases among `definitions`."""
    if not isinstance(node, ast.ClassDef):
        return frozenset()
    methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    others = {name: other for name, other in definitions.items() if name != node.name}
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in others:
            methods |= _list_methods(others[base.id], others)
    return frozenset(methods)


def _list_own_attributes(definition: Any) -> frozenset[str]:
    """Return what a class and its bases define, except for those of this package and of torch."""
    names: set[str] = set()
    for base in getattr(definition, "__mro__", ()):
        if base.__module__.partition(".")[0] not in (__package__, "torch", "builtins"):
            names |= vars(base).keys()
    return frozenset(names)


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
NETWORKS = Registry("NETWORKS", "network", "models")
DATASETS = Registry("DATASETS", "data set", "data")
OPTIMIZERS = Registry("OPTIMIZERS", "optimiser", "optimizers")
PROBES = Registry("PROBES", "probe", "probes")
SHAPES = Registry("SHAPES", "shape of the schedule", "schedules")
