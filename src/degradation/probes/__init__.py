"""What is measured inside a network: each probe is a function of a network and a batch that returns a tidy table.

No probe changes the network or the training that it is taken in.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from degradation.config import PROBE_SPECS, Probes
from degradation.data.loaders import Batch, Loader
from degradation.data.random_streams import build_generator
from degradation.models.network import Network
from degradation.probes.gradient_flow import gradient_flow
from degradation.probes.gradient_identity import gradient_identity
from degradation.probes.lesions import lesions
from degradation.probes.paths import paths
from degradation.probes.responses import responses
from degradation.probes.shattering import shattering
from degradation.probes.table import Table

__all__ = ["Table", "measure_probe", "sample_probe_batch"]


MEASURES: dict[str, Callable[[Network, Tensor, Tensor, torch.Generator], Table]] = {
    "gradient_flow": lambda network, pictures, labels, _: gradient_flow(network, pictures, labels),
    "responses": lambda network, pictures, _labels, _: responses(network, pictures),
    "identity": lambda network, pictures, labels, _: gradient_identity(network, pictures, labels),
    "shattering": shattering,
    "lesions": lesions,
    "paths": paths,
}


def sample_probe_batch(name: str, feed: Loader, config: Probes) -> Batch:
    """The un-augmented pictures that a probe sees, spread evenly over its split, so that all classes occur."""
    split = PROBE_SPECS[name].split
    wanted = config.batch_size if split == "train" else config.test_pictures
    pictures, labels = zip(*feed.sample_batches(split, wanted), strict=True)
    return torch.cat(pictures), torch.cat(labels)


def measure_probe(name: str, network: Network, batch: Batch, seed: int, iteration: int) -> Table:
    """The table of a probe; what is random in it depends on the run's seed and the iteration alone."""
    return MEASURES[name](network, *batch, build_generator(seed, f"probe/{name}", iteration))
