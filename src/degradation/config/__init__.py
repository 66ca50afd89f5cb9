"""What a run is made of: the schema, what it may hold, and the way from Hydra's composition to both."""

from pathlib import Path

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from degradation.config.invariants import ConfigError, check
from degradation.config.probing import AT_END, AT_SNAPSHOTS, AT_START, PROBE_KINDS, fits
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
    family,
    parent_of,
    probe_iterations,
    stages,
    warmup_of,
)

__all__ = [
    "AT_END",
    "AT_SNAPSHOTS",
    "AT_START",
    "BF16",
    "CONF",
    "PROBE_KINDS",
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
    "check",
    "family",
    "fits",
    "parent_of",
    "probe_iterations",
    "read",
    "register",
    "stages",
    "warmup_of",
]

CONF = Path(__file__).resolve().parents[3] / "conf"


def register() -> None:
    """Put the schema where Hydra finds it; called before any composition."""
    ConfigStore.instance().store(name="schema", node=Config)


def read(cfg: DictConfig) -> Config:
    """The composed configuration as a checked `Config`. Raises ConfigError."""
    try:
        config = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{error.full_key}: {str(error).splitlines()[0]}") from None
    if not isinstance(config, Config):
        raise ConfigError("the configuration lacks `- schema` at the head of its defaults list")
    check(config)
    return config
