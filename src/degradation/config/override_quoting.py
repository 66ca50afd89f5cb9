"""Quote the values of text keys on a command line, so that Hydra leaves them as they were typed.

Hydra's grammar reads some texts as numbers or Booleans, and a text key then gets another text:

    name=2026_01_15              would be 20260115; quoted: name='2026_01_15'
    name=choice(1e5,true)        would be 100000.0 and True; quoted: name=choice("'1e5'","'true'")

The same holds where a config group is given the name of an option. `null` stays null.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser

from degradation.config.overrides import CONF
from degradation.config.schema import KEYS

CONVERTED_TOKENS = (OverrideLexer.INT, OverrideLexer.FLOAT, OverrideLexer.BOOL)
# functions of Hydra's grammar whose arguments are values; others compute with numbers
VALUE_FUNCTIONS = ("choice", "shuffle")
NUMBER_LIKE = re.compile(
    r"[+-]?[\d_.]+(e[+-]?[\d_]+)?|[+-]?(inf|nan)|true|false|null", re.IGNORECASE
)
# Hydra's own keys that hold text. A launcher's are all typed, and convert text to their type.
HYDRA_TEXT = re.compile(r"hydra\.(launcher\.\w+|run\.dir|sweep\.dir|sweep\.subdir|job\.name)")


def quote_text(overrides: Sequence[str]) -> list[str]:
    """Return the overrides with quotes around values of text keys that Hydra would convert.

    Raises Hydra's own exception for an override that cannot be parsed.
    """
    OverridesParser.create().parse_overrides(list(overrides))
    return [quote_override(override) for override in overrides]


def is_text(name: str) -> bool:
    """Return whether a dotted key holds text, or is a config group, whose options have names."""
    if name in KEYS and KEYS[name].type in (str, list[str]):
        return True
    return name != "" and (CONF / name).is_dir()


def quote_override(override: str) -> str:
    """Return an override with quotes around what Hydra would convert. It need not be valid."""
    parser: Any = OverrideParser(CommonTokenStream(OverrideLexer(InputStream(override))))
    parser.removeErrorListeners()
    context = parser.override()
    key, value = context.key(), context.value()
    if key is None or value is None:
        return override
    quoted = override
    for token, text in reversed(list(_quote_tokens(value, key.packageOrGroup().getText()))):
        quoted = f"{quoted[: token.start]}{text}{quoted[token.stop + 1 :]}"
    return quoted


def _quote_tokens(context: Any, name: str, in_function: bool = False) -> Iterator[tuple[Any, str]]:
    """Yield (token, quoted text) of what Hydra would convert, in the parse tree of a value."""
    kind = type(context)
    if kind is OverrideParser.PrimitiveContext:
        if is_text(name) or HYDRA_TEXT.fullmatch(name):
            yield from _quote_primitive(context, in_function)
    elif kind is OverrideParser.DictKeyValuePairContext:
        item = f"{name}.{context.dictKey().getText().strip()}"
        yield from _quote_tokens(context.element(), item)
    elif kind is OverrideParser.FunctionContext:
        if context.getChild(0).getText() in VALUE_FUNCTIONS:
            for element in context.element():
                yield from _quote_tokens(element, name, in_function=True)
    else:
        for child in getattr(context, "children", None) or []:
            yield from _quote_tokens(child, name, in_function)


def _quote_primitive(context: Any, in_function: bool) -> Iterator[tuple[Any, str]]:
    tokens = [node.symbol for node in context.getChildren()]
    tokens = [token for token in tokens if token.type != OverrideLexer.WS]
    if len(tokens) != 1:  # Hydra joins several tokens to text: 2026-01-15 has three
        return
    (token,) = tokens
    if not in_function:
        if token.type in CONVERTED_TOKENS:
            yield token, f"'{token.text}'"
    elif token.type in CONVERTED_TOKENS:
        yield token, f"\"'{token.text}'\""  # a function removes one pair of quotes
    elif token.type == OverrideLexer.QUOTED_VALUE and NUMBER_LIKE.fullmatch(token.text[1:-1]):
        yield token, f"\"'{token.text[1:-1]}'\""
