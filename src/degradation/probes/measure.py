"""Run one probe on one network: choose its images, and call it with its own random stream."""

import torch

from degradation.config import Probes
from degradation.data.datasets import Batch
from degradation.data.loaders import Loader
from degradation.data.random_streams import build_generator
from degradation.models.network import Network
from degradation.probes.table import Table
from degradation.registry import PROBES


def sample_probe_batch(name: str, loader: Loader, config: Probes) -> Batch:
    """Return the images (N, C, H, W) and labels (N,) that a probe sees, without augmentation.

    They are spread evenly over the probe's split, so that all classes occur even if the data set is
    sorted by class. N is `probes.batch_size` training images or `probes.test_pictures` test images,
    and at most the size of the split.
    """
    split = PROBES.facts(name)["split"]
    count = config.batch_size if split == "train" else config.test_pictures
    images, labels = zip(*loader.sample_batches(split, count), strict=True)
    return torch.cat(images), torch.cat(labels)


def measure_probe(name: str, network: Network, batch: Batch, seed: int, iteration: int) -> Table:
    """Take a probe of the network after `iteration` updates, and return its table.

    Its random numbers depend only on the run's seed, the probe and the iteration, so a probe that
    is taken after training gives the same table.
    """
    images, labels = batch
    measure = PROBES.load(name)
    table: Table = measure(
        network, images, labels, build_generator(seed, f"probe/{name}", iteration)
    )
    return table
