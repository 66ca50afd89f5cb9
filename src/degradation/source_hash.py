"""Hash Python source by what it does: comments, docstrings and formatting change no hash."""

import ast
import hashlib
from typing import Any

HASH_DIGITS = 12
DOCSTRING_NODES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def hash_source(source: str) -> str:
    """Return a hash of Python source that ignores comments, docstrings and formatting."""
    return hash_text(repr(_simplify(ast.parse(source))))


def _simplify(node: Any) -> Any:
    """Return a syntax tree as nested tuples, without docstrings and without empty fields.

    Empty fields are dropped because newer versions of Python add fields, which are empty for code
    that older versions can parse.
    """
    if isinstance(node, list):
        return tuple(_simplify(element) for element in node)
    if not isinstance(node, ast.AST):
        return node
    fields = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, DOCSTRING_NODES) and ast.get_docstring(node, False):
            simplified = _simplify(value[1:])
        else:
            simplified = _simplify(value)
        if simplified is not None and simplified != ():
            fields.append((name, simplified))
    return (type(node).__name__, *fields)


def hash_text(text: str) -> str:
    """Return the first digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_DIGITS]
