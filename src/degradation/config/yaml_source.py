"""Hydra's source of YAML files, with the values of text keys as they are in the file.

YAML reads some texts as numbers or Booleans, and a text key then gets another text:

    name: 2026_01_15             would be 20260115; here '2026_01_15'
    name: 1e5                    would be 100000.0; here '1e5'
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from degradation.config.override_quoting import is_text, quote_override
from degradation.config.overrides import is_option

SWEEP_PARAMETERS = ("hydra", "sweeper", "params")
ValuePath = tuple[str | int, ...]  # the keys and indices that lead to a value of a file


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
    elif isinstance(value, bool | int | float) and is_text(name):
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
        if isinstance(value, str) and is_text(str(name)):
            parameters[name] = quote_override(f"{name}={value}").partition("=")[2]
