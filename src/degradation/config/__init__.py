"""What a run is made of: the schema, what it may hold, and the way from Hydra's composition to both."""

from dataclasses import fields, is_dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from degradation.config.architecture import blocks_per_stage
from degradation.config.cross_field import check
from degradation.config.errors import ConfigError, quote
from degradation.config.hydra_errors import format_hydra_error, unknown_key
from degradation.config.overrides import CONF, check_overrides
from degradation.config.schedule import (
    evaluation_iterations,
    is_applicable,
    is_evaluated,
    later_probe_iterations,
    probe_iterations,
)
from degradation.config.schema import (
    BF16,
    Config,
    Data,
    Landscape,
    Model,
    Optim,
    Plateau,
    Precision,
    Probes,
    Schedule,
    Stream,
    Tracking,
    Warmup,
    effective_warmup,
    family,
    parent_config,
)
from degradation.config.values import CHOICES, NAME

__all__ = [
    "BF16",
    "CHOICES",
    "CONF",
    "NAME",
    "Config",
    "ConfigError",
    "Data",
    "Landscape",
    "Model",
    "Optim",
    "Plateau",
    "Precision",
    "Probes",
    "Schedule",
    "Stream",
    "Tracking",
    "Warmup",
    "blocks_per_stage",
    "check",
    "check_overrides",
    "effective_warmup",
    "evaluation_iterations",
    "family",
    "is_applicable",
    "is_evaluated",
    "later_probe_iterations",
    "parent_config",
    "probe_iterations",
    "quote",
    "read",
    "register",
]


def register() -> None:
    """Put the schema where Hydra finds it; called before any composition."""
    ConfigStore.instance().store(name="schema", node=Config)


def read(cfg: DictConfig) -> Config:
    """The composed configuration as a checked `Config`. Raises ConfigError."""
    try:
        config = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(format_hydra_error(error)) from None
    if not isinstance(config, Config):
        raise ConfigError("the configuration lacks `- schema` at the head of its defaults list")
    _refuse_added(config)
    check(config)
    return config


def _refuse_added(part: Any, place: str = "") -> None:
    """`+model.dpth=3` gives OmegaConf's object an attribute more, which nothing would read."""
    known = [field.name for field in fields(part)]
    for key, value in vars(part).items():
        if key not in known:
            raise ConfigError(unknown_key(place + key, known))
        if is_dataclass(value):
            _refuse_added(value, f"{place}{key}.")
