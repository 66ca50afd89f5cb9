"""The mutants of a source file: mutmut's operators on function bodies that decide numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

# Keyword arguments that affect speed, memory or a defensive check, but no number on one CPU.
NO_NUMBER = {"strict", "inplace", "foreach", "non_blocking", "pin_memory", "set_to_none", "device"}
MESSAGE_CALLS = (
    "log.",
    "notify",
    "warn_once",
    "super",
)  # the beginnings of the names of functions that print, log or delegate


@dataclass(frozen=True)
class Mutant:
    """A source file with one change."""

    path: Path
    line: int
    code: str  # code of the whole file


@dataclass(frozen=True)
class Change:
    """A node of a file and its replacement. `mutant` builds the new file, which is slow."""

    path: Path
    line: int
    module: cst.Module
    node: cst.CSTNode
    changed: cst.CSTNode

    def mutant(self) -> Mutant:
        """Build the changed file."""
        mutated = self.module.deep_replace(self.node, self.changed)
        assert isinstance(mutated, cst.Module)
        return Mutant(self.path, self.line, mutated.code)


def list_changes(path: Path) -> list[Change]:
    """Return all changes of a file, in the order of its nodes."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text()))
    positions = wrapper.resolve(PositionProvider)
    return [
        Change(path, positions[node].start.line, wrapper.module, node, changed)
        for node, changed in _changes(wrapper.module, inside=False)
    ]


def _changes(node: cst.CSTNode, inside: bool) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """Yield (node, replacement) for every change below a node.

    Args:
        inside: whether the node is inside the body of a function
    """
    if _decides_no_number(node):
        return
    if inside:
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                replacements = list(operator(node))
                if operator is operator_string:  # one of its three changes of a string is enough
                    replacements = replacements[:1]
                for replacement in replacements:
                    yield node, replacement
    for child in node.children:
        enters = isinstance(node, cst.FunctionDef) and child is node.body
        yield from _changes(child, inside or enters)


def _decides_no_number(node: cst.CSTNode) -> bool:
    """Return whether a node is a type, error, assertion, message or keyword in NO_NUMBER."""
    if isinstance(node, cst.Annotation | cst.Raise | cst.Assert | cst.Decorator):
        return True
    if isinstance(node, cst.Arg):
        return node.keyword is not None and node.keyword.value in NO_NUMBER
    if isinstance(node, cst.Call):
        name = cst.Module([]).code_for_node(node.func)
        return name.startswith(MESSAGE_CALLS)
    return False
