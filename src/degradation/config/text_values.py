"""Text stays as it was typed: neither Hydra's grammar nor YAML turns it into a number first.

Both read `2026_01_15`, `1e5` and `true` as a number or a boolean, whose text differs
(20260115, 100000.0, True). Where a key holds text, and where a config group is given the name of
an option, such values are therefore quoted before Hydra parses them. `null` stays null.
"""

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import yaml
from antlr4 import CommonTokenStream, InputStream
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.grammar.gen.OverrideLexer import OverrideLexer
from hydra.grammar.gen.OverrideParser import OverrideParser
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from degradation.config.overrides import CONF, is_option
from degradation.config.schema import KEYS

CONVERTED_TOKENS = (OverrideLexer.INT, OverrideLexer.FLOAT, OverrideLexer.BOOL)
# functions of Hydra's grammar whose arguments are values; others compute with numbers
VALUE_FUNCTIONS = ("choice", "shuffle")
NUMBER_LIKE = re.compile(
    r"[+-]?[\d_.]+(e[+-]?[\d_]+)?|[+-]?(inf|nan)|true|false|null", re.IGNORECASE
)
# Hydra's own keys that hold text. A launcher's are all typed, and convert text to their type.
HYDRA_TEXT = re.compile(r"hydra\.(launcher\.\w+|run\.dir|sweep\.dir|sweep\.subdir|job\.name)")
SWEEP_PARAMETERS = ("hydra", "sweeper", "params")
ValuePath = tuple[str | int, ...]  # the keys and indices that lead to a value of a file


def quote_text(overrides: Sequence[str]) -> list[str]:
    """Return the overrides with quotes around values of text keys that Hydra would convert.

    Raises Hydra's own exception for an override that cannot be parsed.
    """
    OverridesParser.create().parse_overrides(list(overrides))
    return [_quote_override(override) for override in overrides]


def install_file_source() -> None:
    """Make Hydra read YAML files by the source below instead of its own."""
    SourcesRegistry.instance().types["file"] = FileConfigSource


class FileConfigSource(file_config_source.FileConfigSource):
    """Hydra's source of YAML files, in which text keys have the text that is in the file.

    It has the name of Hydra's own, because the registry then keeps whichever is there. Hydra reads
    every file again for every composition; here a file is parsed once, until its text changes.
    """

    parsed: ClassVar[dict[tuple[str, Path, str], ConfigResult]] = {}

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """Return the names in a folder, without files of shared values, which are not options."""
        return [name for name in super().list(config_path, results_filter) if is_option(name)]

    def load_config(self, config_path: str) -> ConfigResult:
        """Return the content of a file."""
        file = Path(self.path) / self._normalize_file_name(config_path)
        if not file.is_file():
            return super().load_config(config_path)  # which raises Hydra's exception
        key = (self.provider, file, file.read_text(encoding="utf-8"))
        if key not in self.parsed:
            self.parsed[key] = self._parse(config_path, file)
        return copy.deepcopy(self.parsed[key])

    def _parse(self, config_path: str, file: Path) -> ConfigResult:
        result = super().load_config(config_path)
        values = OmegaConf.to_container(result.config, resolve=False)
        section = _find_section(config_path, result.header["package"])
        converted = list(_find_converted(values, section))
        if converted:
            document = yaml.compose(file.read_text(encoding="utf-8"))
            for path in converted:
                _replace(result.config, path, _select_text(document, path))
        _quote_sweep_parameters(result.config)
        return result


def _is_text(name: str) -> bool:
    """Return whether a dotted key holds text, or is a config group, whose options have names."""
    if name in KEYS and KEYS[name].type in (str, list[str]):
        return True
    return name != "" and (CONF / name).is_dir()


def _quote_override(override: str) -> str:
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
        if _is_text(name) or HYDRA_TEXT.fullmatch(name):
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


def _find_section(config_path: str, package: str | None) -> str:
    """Return the section of the configuration that the content of a file belongs to."""
    if package is None:
        return ".".join(Path(config_path).parent.parts)
    return "" if package == "_global_" else package


def _find_converted(value: Any, name: str, path: ValuePath = ()) -> Iterator[ValuePath]:
    """Yield the paths of text keys' values that YAML has converted."""
    if path == SWEEP_PARAMETERS:
        name = ""  # its keys are those of a command line
    if isinstance(value, dict):
        for key, item in value.items():
            item_name = f"{name}.{key}" if name else str(key)
            yield from _find_converted(item, item_name, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_converted(item, name, (*path, index))
    elif isinstance(value, bool | int | float) and _is_text(name):
        yield path


def _select_text(node: yaml.Node, path: ValuePath) -> str:
    """Return the text of a value in the document of a YAML file."""
    for step in path:
        if isinstance(step, int):
            node = node.value[step]
        else:
            (node,) = [value for key, value in node.value if key.value == step]
    return str(node.value)


def _replace(config: Any, path: ValuePath, text: str) -> None:
    *sections, key = path
    for section in sections:
        config = config[section]
    config[key] = text


def _quote_sweep_parameters(config: Any) -> None:
    """Quote the values of hydra.sweeper.params, which Hydra parses as it does a command line."""
    parameters = OmegaConf.select(config, ".".join(SWEEP_PARAMETERS))
    if not isinstance(parameters, DictConfig):
        return
    values: Any = OmegaConf.to_container(parameters, resolve=False)
    for name, value in values.items():
        if isinstance(value, str) and _is_text(str(name)):
            parameters[name] = _quote_override(f"{name}={value}").partition("=")[2]
