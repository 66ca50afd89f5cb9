"""Mutants of a source file: mutmut's operators over the bodies of its functions, less what decides no number."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

# Keywords that change the speed, the place in memory or a defensive check, and no number on one CPU.
NO_NUMBER = {"strict", "inplace", "foreach", "non_blocking", "pin_memory", "set_to_none", "device"}


@dataclass(frozen=True)
class Mutant:
    path: Path
    line: int
    code: str  # of the whole file


@dataclass(frozen=True)
class Change:
    """One place of a file, and what takes its place; the file's new text is made where it is needed, which is slow."""

    path: Path
    line: int
    module: cst.Module
    node: cst.CSTNode
    changed: cst.CSTNode

    def mutant(self) -> Mutant:
        mutated = self.module.deep_replace(self.node, self.changed)
        assert isinstance(mutated, cst.Module)
        return Mutant(self.path, self.line, mutated.code)


def changes_of(path: Path) -> list[Change]:
    """All changes of a file, in the order of their places in it."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text()))
    positions = wrapper.resolve(PositionProvider)
    return [
        Change(path, positions[node].start.line, wrapper.module, node, changed)
        for node, changed in _changes(wrapper.module, inside=False)
    ]


def _changes(node: cst.CSTNode, inside: bool) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """A node and what takes its place, for every change below this one; `inside` the body of a function."""
    if _decides_no_number(node):
        return
    if inside:
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                changes = list(operator(node))
                # of a text's three changes (marked, lower case, upper case) one is enough
                yield from (
                    (node, change)
                    for change in (changes[:1] if operator is operator_string else changes)
                )
    for child in node.children:
        enters = isinstance(node, cst.FunctionDef) and child is node.body
        yield from _changes(child, inside or enters)


def _decides_no_number(node: cst.CSTNode) -> bool:
    """Types, errors, asserts and messages; and the keywords above."""
    if isinstance(node, cst.Annotation | cst.Raise | cst.Assert | cst.Decorator):
        return True
    if isinstance(node, cst.Arg):
        return node.keyword is not None and node.keyword.value in NO_NUMBER
    if isinstance(node, cst.Call):
        return (
            cst.Module([]).code_for_node(node.func).startswith(("log.", "refuse", "tell", "super"))
        )
    return False
