"""Run one probe on one network: choose its images, and call it with its own random stream."""

import logging

import torch
from torch import nn

from degradation.config import Config, Probes
from degradation.data.datasets import Batch
from degradation.data.loaders import Loader
from degradation.data.random_streams import build_generator
from degradation.models.build import is_separable
from degradation.models.random_draws import network_draws
from degradation.probes.table import Table
from degradation.registry import PROBES

log = logging.getLogger(__name__)


def can_measure(name: str, network: nn.Module) -> bool:
    """Return whether the network has the blocks that a probe needs, if it needs any."""
    return PROBES.facts(name).get("any_network", False) or is_separable(network)


def warn_about_skipped_probes(config: Config, network: nn.Module, run_id: str) -> None:
    """Log which of the configured probes this network has no blocks for, if there are any."""
    names = dict.fromkeys([*config.probes.training, *config.probes.afterwards])
    skipped = [name for name in names if not can_measure(name, network)]
    if skipped:
        log.warning(
            "%s: probes %s are skipped: they need a network of blocks, whose forward is Block's",
            run_id,
            ", ".join(skipped),
        )


def sample_probe_batch(name: str, loader: Loader, probes: Probes) -> Batch:
    """Return the images (N, C, H, W) and labels (N,) that a probe sees, without augmentation.

    They are spread evenly over the probe's split, so that all classes occur even if the data set is
    sorted by class. N is `probes.batch_size` training images or `probes.test_pictures` test images,
    and at most the size of the split.
    """
    split = PROBES.facts(name)["split"]
    count = probes.batch_size if split == "train" else probes.test_pictures
    images, labels = zip(*loader.sample_batches(split, count), strict=True)
    return torch.cat(images), torch.cat(labels)


def measure_probe(name: str, network: nn.Module, batch: Batch, seed: int, iteration: int) -> Table:
    """Run a probe on the network after `iteration` updates, and return its table.

    Its random numbers, and those that the network draws, depend only on the run's seed, the probe
    and the iteration, so a probe gives the same table during and after training.
    """
    images, labels = batch
    measure = PROBES.load(name)
    generator = build_generator(seed, f"probe/{name}", iteration)
    network_generator = build_generator(seed, f"probe/{name}/network", iteration)
    with network_draws(network, network_generator, images.device):
        table: Table = measure(network, images, labels, generator)
    return table
