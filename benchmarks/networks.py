"""The networks that a benchmark times: those of a command line, each once."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from benchmarks.images import check_data
from benchmarks.machine import list_precisions
from degradation.config import Config, ConfigError
from degradation.sweep.expand import expand_configs
from degradation.training.device import check_precision, choose_device

# The networks and settings that the reference loop has, by key
ALLOWED = {
    "model.layout": ("cifar",),
    "model.network": ("resnet",),
    "model.block": ("basic",),
    "model.order": ("post",),
    "model.shortcut": ("none", "A"),
    "model.new_channels": ("after",),
    "model.bn_parts": (1,),
    "model.grown_from": (None,),
    "optim.name": ("sgd",),
}


def compose_networks(overrides: Sequence[str], defaults: Sequence[str]) -> list[list[Config]]:
    """Return the distinct networks of a command line, each as one configuration per precision.

    Without a precision on the command line, these are all that the device computes in itself.

    Args:
        overrides: as for train.py. Seeds make no difference.
        defaults: overrides that apply unless an experiment, or another value, is chosen.

    Raises ConfigError.
    """
    keys = {override.partition("=")[0] for override in overrides}
    if "experiment" in keys:
        defaults = []
    unchanged = [default for default in defaults if default.partition("=")[0] not in keys]
    configs = expand_configs([*unchanged, *overrides])
    refuse_constructed(configs)
    device = choose_device(configs[0].device)
    if not any(override.startswith("precision") for override in overrides):
        configs = add_precisions(configs, device)
    for config in configs:
        check_data(config.data)
        check_precision(device, config.precision)
    return group_by_network(configs)


def refuse_constructed(configs: Sequence[Config]) -> None:
    """Raise ConfigError if a network starts from the network of another run."""
    if any(config.model.grown_from is not None for config in configs):
        raise ConfigError(
            "model.grown_from: a constructed network cannot be timed, since it starts from the"
            " network of another run; allowed: null"
        )


def add_precisions(configs: Sequence[Config], device: torch.device) -> list[Config]:
    """Return each configuration in every precision of the device."""
    return [
        replace(config, precision=replace(config.precision, dtype=dtype))
        for config in configs
        for dtype in list_precisions(config, device)
    ]


def group_by_network(configs: Sequence[Config]) -> list[list[Config]]:
    """Return groups of configurations that differ in nothing but the precision."""
    groups: dict[str, dict[str, Config]] = {}
    for config in configs:
        optimizer = (config.optim.name, config.optim.batch_size)
        network = repr((config.model, config.data, config.schedule, optimizer))
        groups.setdefault(network, {}).setdefault(repr(config.precision), config)
    return [list(group.values()) for group in groups.values()]


def check_reference(config: Config) -> None:
    """Raise ConfigError if the reference loop has not this network or optimiser."""
    for key, allowed in ALLOWED.items():
        section, _, name = key.partition(".")
        value = getattr(getattr(config, section), name)
        if value not in allowed:
            values = ", ".join("null" if choice is None else str(choice) for choice in allowed)
            raise ConfigError(f"{key}: {value!r} is not in the reference loop; allowed: {values}")
