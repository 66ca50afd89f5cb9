"""Validation of a configuration: the rule of each key, then the rules that relate keys."""

from collections.abc import Mapping
from typing import Any

from degradation.config.architecture import (
    GROWABLE,
    find_obstacle_to_growth,
    imagenet_stages,
    is_made_of_blocks,
    layers_per_unit,
    smallest_map_side,
)
from degradation.config.dotted_keys import select
from degradation.config.errors import ConfigError, not_allowed, quote
from degradation.config.options import declared_options, describe_allowed, is_allowed
from degradation.config.rules import Registered
from degradation.config.schedule_checks import check_schedule
from degradation.config.schema import AREA, KEYS, Config, Model
from degradation.external_code import ExternalCodeError, is_identity
from degradation.registry import BLOCKS, DATASETS, NETWORKS, Registry

EXAMPLE_BLOCKS = (1, 3, 5, 7, 9)  # blocks per stage of the example depths in a message


def check(config: Config) -> None:
    """Raise ConfigError, which names the key, if a value is not allowed."""
    _check_rules(config)
    _check_model(config)
    _check_data(config)
    _check_stream(config)
    check_schedule(config)
    _check_landscape(config)


def check_batchnorm(config: Config, side: int) -> None:
    """Raise ConfigError if BN would have a single value per channel, which has no variance.

    Data sets have two training images or more, so only the sizes of batches and maps matter. The
    maps of a network that is not made of blocks are unknown, so for it PyTorch itself reports this.

    Args:
        side: the side of the images that the network sees, in pixels.
    """
    if not is_made_of_blocks(config.model) or smallest_map_side(config.model, side) > 1:
        return
    model, batch_size = config.model, config.optim.batch_size
    problem = (
        f"leaves BN one value per channel: one image whose last feature maps have one pixel"
        f" (images of {side}x{side} pixels, layout {model.layout})"
    )
    if batch_size == 1:
        raise ConfigError(f"optim.batch_size: 1 {problem}; allowed: 2 or more, or larger images")
    if batch_size == model.bn_parts:
        allowed = f"at most {batch_size // 2}, so that each part has 2 images, or larger images"
        raise ConfigError(f"model.bn_parts: {model.bn_parts} {problem}; allowed: {allowed}")
    stream = config.data.stream
    if stream is not None and stream.train_evaluated == 1:
        raise ConfigError(f"data.stream.train_evaluated: 1 {problem}; allowed: 2 or more")


def _check_rules(config: Config) -> None:
    for name, key in KEYS.items():
        value = select(config, name)
        if not key.accepts(value):
            allowed = key.allowed
            if isinstance(key.rule, Registered):
                allowed = key.rule.describe_allowed(value)
            raise not_allowed(config, name, allowed)


def _check_model(config: Config) -> None:
    model = config.model
    _check_definition("model.network", NETWORKS, model.network)
    _check_definition("model.block", BLOCKS, model.block)
    _check_options(model)
    allowed = _allowed_depths(model)
    if allowed is not None:
        raise not_allowed(config, "model.depth", allowed)
    if config.optim.batch_size % model.bn_parts:
        allowed = f"a divisor of optim.batch_size ({config.optim.batch_size})"
        raise not_allowed(config, "model.bn_parts", allowed)
    if model.grown_from is not None:
        _check_construction(config, model.grown_from)


def _check_definition(key: str, registry: Registry, name: str) -> None:
    """Check that a definition in a file of the user's own can be used, from its source."""
    if is_identity(name):
        raise ConfigError(
            f"{key}: {quote(name)} is how records name it; allowed: the same without @ and the hash"
        )
    try:
        registry.facts(name)
    except ExternalCodeError as error:
        allowed = KEYS[key].allowed
        raise ConfigError(
            f"{key}: {quote(name)} cannot be used, since {error}; allowed: {allowed}"
        ) from None


def _check_options(model: Model) -> None:
    """Check that the network has the options, and that each has a value of its type."""
    if is_made_of_blocks(model):
        _check_names_of_options(model)
    declared = declared_options(model)
    for name, value in model.options.items():
        if name not in declared:
            known = ", ".join(f"{option}={default!r}" for option, default in declared.items())
            allowed = f"{known} (the defaults)" if known else "none"
            owner = f"model.network={model.network}"
            if is_made_of_blocks(model):
                owner = f"model.block={model.block}"
            problem = f"is not an option of {owner}"
            raise ConfigError(f"model.options.{name}: {problem}; allowed: {allowed}")
        if not is_allowed(value, declared[name]):
            allowed = describe_allowed(declared[name])
            raise ConfigError(
                f"model.options.{name}: {quote(value)} is not allowed; allowed: {allowed}"
            )


def _check_names_of_options(model: Model) -> None:
    """Check that no option is declared by both the network and its block."""
    of_network = NETWORKS.facts(model.network).get("options", {})
    for name in BLOCKS.facts(model.block).get("options", {}):
        if name in of_network:
            raise ConfigError(
                f"model.options.{name}: is an option of both model.network={model.network} and"
                f" model.block={model.block}; allowed: options with different names"
            )


def _allowed_depths(model: Model) -> str | None:
    """Return which depths this network allows, or None if the model's depth is allowed."""
    depths = NETWORKS.facts(model.network).get("depths")
    if depths is not None:
        names = ", ".join(map(str, depths))
        return None if model.depth in depths else f"{names} with model.network={model.network}"
    if not is_made_of_blocks(model):
        return None
    if model.layout == "imagenet":
        depths = imagenet_stages(model.block)
        if model.depth in depths:
            return None
        names = ", ".join(map(str, depths)) or "none"
        return f"{names} with {model.block} blocks in the imagenet layout"
    unit = layers_per_unit(model.block)
    if model.depth >= unit + 2 and (model.depth - 2) % unit == 0:
        return None
    examples = ", ".join(str(unit * blocks + 2) for blocks in EXAMPLE_BLOCKS)
    return f"{unit}n+2 with {model.block} blocks, such as {examples}"


def _check_construction(config: Config, grown_from: int) -> None:
    model = config.model
    obstacle = find_obstacle_to_growth(model)
    if obstacle is not None:
        allowed = f"null with {obstacle}; only {GROWABLE} can be constructed"
        raise not_allowed(config, "model.grown_from", allowed)
    unit = layers_per_unit(model.block)
    if not unit + 2 <= grown_from <= model.depth or (grown_from - 2) % unit:
        allowed = f"null, or {unit}n+2 and at most model.depth ({model.depth})"
        raise not_allowed(config, "model.grown_from", allowed)


def _check_data(config: Config) -> None:
    data = config.data
    facts = DATASETS.facts(data.name)
    if data.root is None and facts.get("needs_root", True):
        raise ConfigError(f"data.root: is missing; allowed: {_describe_root(data.name, facts)}")
    if data.size is not None:
        _check_size(config, data.size, facts)
    is_streamed = facts.get("streamed", False)
    if is_streamed and data.stream is None:
        allowed = f"not null, since data.name={data.name} is read from disk"
        raise not_allowed(config, "data.stream", allowed)
    if data.stream is not None and not is_streamed:
        allowed = f"null, since data.name={data.name} is held in memory"
        raise not_allowed(config, "data.stream", allowed)


def _check_size(config: Config, size: int, facts: Mapping[str, Any]) -> None:
    """Check that images can be resized to the side `size`, as far as the registration states it."""
    name = config.data.name
    if not facts.get("resizable", False):
        allowed = f"null, since the images of data.name={name} are not resized"
        raise not_allowed(config, "data.size", allowed)
    side = facts.get("side")
    if side is not None and size > side and config.data.resize == AREA:
        allowed = (
            f"null, or at most {side}, since area averaging (data.resize=area) cannot enlarge the"
            f" images of data.name={name}"
        )
        raise not_allowed(config, "data.size", allowed)


def _describe_root(name: str, facts: Mapping[str, Any]) -> str:
    """Return which folder a data set needs, with an example."""
    splits = [f"{split}/<class>/" for split in facts.get("splits", ())]
    contents = f" that has {' and '.join(splits)}" if splits else ""
    return f"the folder of the images of data.name={name}{contents}, such as data.root=my_images"


def _check_stream(config: Config) -> None:
    stream = config.data.stream
    if stream is None:
        return
    shortest, longest = stream.scale
    if not stream.crop <= shortest <= longest:
        allowed = f"two sides in pixels in ascending order, {stream.crop} (the crop) or more"
        raise not_allowed(config, "data.stream.scale", allowed)
    if stream.test_scale < stream.crop:
        allowed = f"{stream.crop} (the crop) or more"
        raise not_allowed(config, "data.stream.test_scale", allowed)
    if config.data.pad != 0:
        raise not_allowed(config, "data.pad", "0, for images that are read from disk")
    if config.data.normalisation != "channel":
        allowed = "channel, for images that are read from disk"
        raise not_allowed(config, "data.normalisation", allowed)


def _check_landscape(config: Config) -> None:
    parts = config.landscape.parts
    if not 0 <= config.landscape.part < parts:
        allowed = f"0 to {parts - 1} (landscape.parts is {parts})"
        raise not_allowed(config, "landscape.part", allowed)
