"""Composition of a configuration from overrides by Hydra; mistakes are raised as ConfigError."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from degradation.config.error_messages import format_hydra_error, unknown_key
from degradation.config.errors import ConfigError, quote
from degradation.config.fractions import TypedConfig, resolve_fractions
from degradation.config.override_quoting import quote_text
from degradation.config.overrides import CONF
from degradation.config.schema import KEYS, Config, Model
from degradation.config.validation import check
from degradation.config.yaml_source import install_file_source
from degradation.registry import DATASETS


def register() -> None:
    """Store the schema where Hydra finds it; call this before any composition."""
    ConfigStore.instance().store(name="schema", node=_build_schema())
    install_file_source()


def _build_schema() -> DictConfig:
    """Return the schema, which accepts any option of a block without a plus before its key.

    `model.options.NAME=VALUE` is checked by `validation`, which knows the block's options.
    """
    node: DictConfig = OmegaConf.structured(TypedConfig)
    node.model = OmegaConf.structured(Model)
    options: Any = node.model._get_node("options")
    options._set_flag("struct", False)
    return node


def read(cfg: DictConfig) -> Config:
    """Return a composed configuration as a checked `Config`. Raises ConfigError."""
    config = resolve_fractions(read_typed(cfg))
    check(config)
    return config


def read_typed(cfg: DictConfig) -> Config:
    """Return a composed configuration as it was typed, with fractions. Raises ConfigError."""
    try:
        typed = OmegaConf.to_object(cfg)
    except OmegaConfBaseException as error:
        raise ConfigError(format_hydra_error(error)) from error
    if not isinstance(typed, Config):
        raise ConfigError("the configuration lacks `- schema` at the head of its defaults list")
    _refuse_added_keys(typed)
    return typed


@contextmanager
def initialise_hydra() -> Iterator[None]:
    """Let Hydra find conf/ and the schema, inside the context.

    Hydra has one global state. If the caller's own program has initialised it, that state is put
    aside inside the context.
    """
    register()
    state = GlobalHydra.instance()
    callers_hydra = state.hydra
    state.clear()
    try:
        with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = callers_hydra


def compose_overrides(
    config_name: str, overrides: Sequence[str], return_hydra_config: bool = False
) -> DictConfig:
    """Return what Hydra composes, inside `initialise_hydra()`.

    Raises ConfigError for whatever is wrong with the overrides. Hydra and OmegaConf raise ordinary
    exceptions too (KeyError, AttributeError, UserWarning, ...), so all of theirs are caught here.
    """
    try:
        with warnings.catch_warnings():
            # a warning about a search path
            warnings.filterwarnings("error", "provider=.* is not available")
            return compose(config_name, list(overrides), return_hydra_config=return_hydra_config)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(format_hydra_error(error)) from error
    except Exception as error:
        raise ConfigError(_describe_failure(overrides, error)) from error


def compose_config(*overrides: str) -> Config:
    """Return the checked configuration of one run. Raises ConfigError."""
    with initialise_hydra():
        return read(compose_overrides("config", quote_text(overrides)))


def default_margin(data_name: str) -> float:
    """Return the margin of a data set in conf/, in points of training error.

    Raises ConfigError: the name may come from a record, which can hold any.
    """
    if data_name not in DATASETS.names():
        allowed = ", ".join(DATASETS.names())
        raise ConfigError(f"data: {quote(data_name)} is not allowed; allowed: {allowed}")
    with initialise_hydra():
        return float(compose_overrides("config", [f"data={data_name}"]).data.margin)


def _describe_failure(overrides: Sequence[str], error: Exception) -> str:
    """Return the message of an exception that names no key."""
    if "NoneType" in str(error):  # OmegaConf looked for a key in a section that is null
        for override in OverridesParser.create().parse_overrides(list(overrides)):
            section = _find_nullable_section(override.key_or_group)
            if section is not None:
                group = section.partition(".")[0]
                return (
                    f"{override.key_or_group}: cannot be given, since {section} is null;"
                    f" allowed: a {group} of conf/{group}/ that has this section"
                )
    reason = " ".join(str(error).split()).removesuffix(".")
    return f"{' '.join(overrides)}: cannot be composed ({type(error).__name__}: {reason})"


def _find_nullable_section(name: str) -> str | None:
    """Return the nullable section of the schema that is this key or contains it, or None."""
    names = name.split(".")
    for length in range(1, len(names) + 1):
        section = ".".join(names[:length])
        if section not in KEYS:
            return None
        if KEYS[section].is_nullable and is_dataclass(KEYS[section].type):
            return section
    return None


def _refuse_added_keys(section: Any, prefix: str = "") -> None:
    """Refuse keys that the schema lacks: `+model.dpth=3` adds one."""
    known = [field.name for field in fields(section)]
    for name, value in vars(section).items():
        if name not in known:
            raise ConfigError(unknown_key(prefix + name, known))
        if is_dataclass(value):
            _refuse_added_keys(value, f"{prefix}{name}.")
