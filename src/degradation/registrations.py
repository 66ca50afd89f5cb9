"""Read registrations, such as `@BLOCKS.register("basic", layers=2)`, from source code."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from degradation.external_code import DefinitionNode, ExternalCodeError, find_definition
from degradation.registered_facts import find_wrong_fact


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


def read_registrations(variable: str, path: Path, module: str) -> Iterator[tuple[str, Entry]]:
    """Yield (name, entry) of each decorated definition at the top level of a file.

    Args:
        variable: the name of the registry, as in `@BLOCKS.register`.
        path: the file.
        module: the name by which the file is imported.

    Raises:
        ValueError: the arguments of a registration are not literals.
    """
    source = path.read_text(encoding="utf-8")
    if f"@{variable}.register(" not in source:  # parsing is slower than searching
        return
    for definition in ast.parse(source).body:
        if not isinstance(definition, DefinitionNode):
            continue
        for name, facts in read_decorators(variable, definition, path):
            yield name, Entry(module, definition.name, facts, _list_methods(definition, {}))


def read_reference(variable: str, kind: str, reference: str) -> Entry:
    """Return the registration of a definition in a user's file. Raises ExternalCodeError.

    Args:
        variable: the name of the registry, as in `@BLOCKS.register`.
        kind: the word for an entry in messages.
        reference: such as `my_module:MyBlock` (`degradation.external_code`).
    """
    definition = find_definition(reference)
    node, place = definition.node, f"{definition.path}:{definition.node.lineno}"
    if variable == "BLOCKS":
        _check_block_class(node, place)
    try:
        registrations = list(read_decorators(variable, node, definition.path))
    except ValueError as error:
        raise ExternalCodeError(str(error)) from None
    if len(registrations) != 1:
        count = len(registrations) or "no"
        raise ExternalCodeError(
            f"{place} has {count} registrations as a {kind}:"
            f" @{variable}.register(...) above {node.name}"
        )
    ((_, facts),) = registrations
    problem = find_wrong_fact(variable, facts)
    if problem is not None:
        raise ExternalCodeError(f"the registration at {place} {problem}")
    methods = _list_methods(node, definition.definitions)
    return Entry(definition.module, node.name, facts, methods)


def read_decorators(
    variable: str, definition: DefinitionNode, path: Path
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the facts of each registration of a definition. Raises ValueError."""
    for decorator in definition.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        if ast.unparse(decorator.func) == f"{variable}.register":
            yield _literal_arguments(decorator, path)


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
