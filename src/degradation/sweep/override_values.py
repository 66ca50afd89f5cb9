"""What the overrides of a command line and the grid of its experiment set, as text and as values.

Does not import torch.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

UNKNOWN = object()


def get_text(override: Override) -> str:
    """Return an override as it was parsed."""
    assert override.input_line is not None
    return override.input_line


def list_grid_overrides(base: DictConfig, overrides: Sequence[Override]) -> list[Override]:
    """Return the grid of the experiment as overrides, without keys that the command line sets.

    Inside `initialise_hydra()`.

    Args:
        base: the composition of the whole command line, without swept keys.
        overrides: the command line.
    """
    typed = {override.key_or_group for override in overrides}
    parameters = base.hydra.sweeper.params or {}
    texts = [f"{key}={value}" for key, value in parameters.items() if key not in typed]
    return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(texts)


def to_values(composed: DictConfig) -> dict[Any, Any]:
    """Return a composition as nested dictionaries."""
    values = OmegaConf.to_container(composed, resolve=False)
    assert isinstance(values, dict)
    return values


def select_value(values: Any, key: str) -> Any:
    """Return the value or the section of a dotted key, or UNKNOWN if there is none.

    `values`: nested dictionaries, as `to_values` returns them.
    """
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values:
            return UNKNOWN
        values = values[name]
    return values
