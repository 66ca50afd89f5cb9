"""Networks outside of a run: draw one from a seed, deepen a trained one, and measure its errors."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from degradation.config import Config, ConfigError, check
from degradation.config.architecture import GROWABLE, find_obstacle_to_growth
from degradation.data.datasets import Dataset, StreamedDataset, load_dataset
from degradation.data.loaders import build_loader
from degradation.interface.errors import user_errors
from degradation.interface.keys import check_count, compose_run
from degradation.interface.trained_run import TrainedRun
from degradation.models.build import require_blocks
from degradation.models.construction import grow as grow_network
from degradation.models.network import Network
from degradation.registry import DATASETS
from degradation.training.device import (
    choose_device,
    make_reproducible,
    place_network,
    restored_settings,
)
from degradation.training.distributed import SINGLE
from degradation.training.evaluate import eval_batchnorm, evaluate_splits
from degradation.training.initial_network import build_initial_network


def network(
    model: str = "residual",
    depth: int | None = None,
    *,
    seed: int = 0,
    channels: int = 3,
    classes: int = 10,
    **keys: Any,
) -> nn.Module:
    """Return a network with initial weights: those of iteration 0 of a run with this seed.

    Images (N, channels, H, W) -> logits (N, classes). The network is on the CPU, in train mode.

    Args:
        model: a file of conf/model, such as "plain" or "residual".
        depth: number of layers, such as 20, 32, 44 or 56.
        seed: fixes the weights.
        channels, classes: those of the images.
        keys: further keys of the group `model`, such as `width=32` or `block="bottleneck"`.

    Raises:
        UserError: a value is not allowed.
    """
    overrides: Mapping[str, Any] = {f"model.{key}": value for key, value in keys.items()}
    with user_errors():
        check_count("channels", channels)
        check_count("classes", classes)
        config = compose_run(overrides, model=model, depth=depth, seed=seed)
        if config.model.grown_from is not None:
            raise ConfigError(
                f"model: {model} starts from the weights of a trained network; allowed:"
                " degradation.grow, which builds it from a run"
            )
        return build_initial_network(config, channels, classes)


def grow(run: TrainedRun, depth: int) -> Network:
    """Return the solution by construction: a deeper plain network that computes the same function.

    Identity blocks are added to the trained network of a plain run (He et al. 2015, section 1;
    `degradation.models.construction`). `train("constructed", depth)` trains such a network further.

    Args:
        run: a plain run, as `train` returned it.
        depth: number of layers of the deeper network.

    Returns:
        The network on the CPU, in eval mode: its logits equal those of `run.network()`.

    Raises:
        UserError: the run cannot be grown to this depth.
    """
    config = run.config
    with user_errors():
        check_count("depth", depth)
        obstacle = find_obstacle_to_growth(config.model)
        if obstacle is not None:
            raise ConfigError(f"run: {run.run_id} has {obstacle}; allowed: {GROWABLE}")
        if config.model.depth >= depth:
            raise ConfigError(
                f"depth: {depth} is not allowed; allowed: more than {config.model.depth}"
            )
        model = replace(config.model, depth=int(depth))
        check(replace(config, model=replace(model, grown_from=config.model.depth)))
        loader = build_loader(load_dataset(config.data), config, choose_device("cpu"))
        shallow = run.network()

        def training_images() -> Iterable[Tensor]:
            return (images for images, _ in loader.clean_batches("train"))

        shallow = require_blocks(shallow, "model.grown_from")
        return grow_network(shallow, model, training_images)


def measure_errors(
    network: nn.Module | TrainedRun,
    data: str | None = None,
    *,
    device: str | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> dict[str, float | None]:
    """Return the errors (percent) and losses (nats) of a network, as training measures them.

    They have the names of `degradation.metrics`, such as "train/clean_error" and "test/error".

    Args:
        network: any module that maps images (N, C, H, W) of the data set to logits (N, classes).
            A copy is measured, so it is neither moved nor changed. A run means its trained
            network and its configuration; without `data` and `overrides`, the errors are those of
            its last evaluation.
        data: a file of conf/data, such as "digits" or "cifar10"; None: the default in conf/, or
            the run's own.
        device: auto, cpu, cuda or mps; None: the default in conf/, or the run's own.
        overrides: further keys by their dotted names, such as {"data.root": "images"}. They replace
            single values of a run's configuration.

    Raises:
        UserError: a value is not allowed, the data cannot be loaded, or the network does not take
            images of this data set.
    """
    with user_errors():
        if isinstance(network, TrainedRun):
            config = _change_config(network.config, overrides or {}, data, device)
            iteration = config.schedule.iterations
            network = network.network()
        else:
            # the BN statistics of a module are those that it holds
            config = compose_run(overrides, data=data, device=device)
            config = replace(config, model=replace(config.model, bn_statistics="moving"))
            iteration = 0
        chosen = choose_device(config.device)
        dataset = load_dataset(config.data)
        _check_fit(network, dataset, config.data.name)
        loader = build_loader(dataset, config, chosen)
    measured = place_network(deepcopy(network), config.precision, chosen)
    with restored_settings():
        make_reproducible(config.threads, config.precision)
        with eval_batchnorm(measured, config, loader):
            errors = evaluate_splits(measured, loader, iteration, config.precision, SINGLE)
    return dict(errors)


def _change_config(
    config: Config, overrides: Mapping[str, Any], data: str | None, device: str | None
) -> Config:
    """Return a run's configuration with some values replaced. Raises ConfigError.

    Args:
        config: that of the run.
        overrides: values by dotted name.
        data: a file of conf/data, which replaces the whole section; None: the run's own.
        device: the device to use; None: the run's own.
    """
    own_data: dict[str, Any] = {}
    if data is None and not {"data", "data.name"} & overrides.keys():
        key = "data" if DATASETS.is_built_in(config.data.name) else "data.name"
        own_data = {key: config.data.name, "data.root": config.data.root}
    composed = compose_run({**own_data, **overrides}, data=data, device=device)
    changed = [*overrides]
    if data is not None:
        changed.append("data")
    if device is not None:
        changed.append("device")
    for key in changed:
        config = _copy_value(config, composed, key.split("."))
    check(config)
    return config


def _copy_value(target: Any, source: Any, names: Sequence[str]) -> Any:
    """Return a section of a configuration with the value of one key from another section."""
    name, *rest = names
    value = getattr(source, name)
    own = getattr(target, name)
    if rest and is_dataclass(own) and is_dataclass(value):
        value = _copy_value(own, value, rest)
    return replace(target, **{name: value})


def _check_fit(network: nn.Module, dataset: Dataset | StreamedDataset, data_name: str) -> None:
    """Raise ConfigError unless the network maps images of the data set to a logit per class."""
    images = torch.zeros(2, dataset.channels, dataset.side, dataset.side)
    problem = ""
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            logits = deepcopy(network).cpu().eval()(images)
    except RuntimeError as error:
        problem = " ".join(str(error).split())
    else:
        if logits.ndim != 2 or logits.shape[1] < dataset.classes:
            problem = f"it returns logits of shape {tuple(logits.shape)} for two images"
    if problem:
        raise ConfigError(
            f"network: does not fit data={data_name}, images of shape {tuple(images.shape[1:])} in"
            f" {dataset.classes} classes ({problem}); allowed: data=NAME of the network's own"
            " data, or measure_errors(run), since a run knows its data"
        )
