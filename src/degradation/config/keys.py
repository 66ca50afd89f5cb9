"""The properties of each key of the schema: type, whether it is nullable, rule, help text."""

import types
import typing
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING

from degradation.config.rules import Rule

TYPE_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


NO_DEFAULT = object()  # None is a value that a key may reproduce


def key(help_text: str, rule: Rule | None = None, *, hash_default: Any = NO_DEFAULT) -> Any:
    """Return a field of the schema, with its help text and the rule that its values follow.

    The field has no default, since values live in conf/. The rule is about values that are not
    null; whether null is allowed is part of the field's type.

    A key that is added after a release and changes numbers has a `hash_default`: the value that
    reproduces what the code did before. Run ids do not cover the key while it has this value, so
    existing records keep their ids (`degradation.run_id`).
    """
    metadata = {"help": help_text, "rule": rule, "hash_default": hash_default}
    return field(default=MISSING, metadata=metadata)


@dataclass(frozen=True)
class Key:
    """One key of the schema, or one section, which holds keys."""

    type: Any  # without None, even if the key is nullable
    is_nullable: bool
    rule: Rule | None
    help_text: str
    hash_default: Any = NO_DEFAULT

    @property
    def allowed(self) -> str:
        """The allowed values in words, for messages."""
        allowed = self.rule.allowed if self.rule else describe_type(self.type)
        return f"null, or {allowed}" if self.is_nullable else allowed

    def accepts(self, value: Any) -> bool:
        """Return whether a value of the key's type follows the key's rule."""
        return self.rule is None or value is None or self.rule.accepts(value)


def read_keys(schema: type, prefix: str = "") -> dict[str, Key]:
    """Return all keys of a schema by dotted name; a section precedes the keys that it holds."""
    hints = typing.get_type_hints(schema)
    keys: dict[str, Key] = {}
    for schema_field in fields(schema):
        name = f"{prefix}{schema_field.name}"
        kind, is_nullable = split_optional(hints[schema_field.name])
        facts = schema_field.metadata
        keys[name] = Key(
            kind,
            is_nullable,
            facts.get("rule"),
            facts.get("help", ""),
            facts.get("hash_default", NO_DEFAULT),
        )
        if isinstance(kind, type) and is_dataclass(kind):
            keys |= read_keys(kind, f"{name}.")
    return keys


def split_optional(hint: Any) -> tuple[Any, bool]:
    """Return a type without `None`, and whether it had one."""
    if not isinstance(hint, types.UnionType) and typing.get_origin(hint) is not typing.Union:
        return hint, False
    (kind,) = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    return kind, True


def describe_type(kind: Any) -> str:
    """Return the values of a type in words, as a user types them."""
    if kind in TYPE_NAMES:
        return TYPE_NAMES[kind]
    if typing.get_origin(kind) is list:
        (item,) = typing.get_args(kind)
        return f"a list such as [a,b], each item {describe_type(item)}"
    if typing.get_origin(kind) is dict:
        return "names with one value each, such as {a: 1}"
    if is_dataclass(kind):
        return f"a section with {', '.join(section_key.name for section_key in fields(kind))}"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(kind.__members__)
    return "another value"
