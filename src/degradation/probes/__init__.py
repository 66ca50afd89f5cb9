"""What is measured inside a network: each probe is a function of a network and a batch that returns a tidy table.

No probe changes the network or the training that it is taken in.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from degradation.data.feeds import Batch, Feed
from degradation.data.streams import generator
from degradation.models.network import Network
from degradation.probes.gradient_flow import gradient_flow
from degradation.probes.identity import identity
from degradation.probes.lesions import lesions
from degradation.probes.paths import paths
from degradation.probes.responses import responses
from degradation.probes.shattering import shattering
from degradation.probes.table import Table

__all__ = ["PROBES", "Probe", "Table", "fits", "probe_batch", "take"]

TEST_PICTURES = 2000  # at most


@dataclass(frozen=True)
class Probe:
    measure: Callable[[Network, Tensor, Tensor, torch.Generator], Table]
    at: tuple[str, ...]  # when it is taken afterwards: start, snapshots, end
    split: str = "train"  # of the pictures that it sees
    needs_shortcuts: bool = False


PROBES: dict[str, Probe] = {
    "gradient_flow": Probe(lambda net, x, y, _: gradient_flow(net, x, y), ("start", "snapshots", "end")),
    "responses": Probe(lambda net, x, _y, _: responses(net, x), ("start", "snapshots", "end")),
    "identity": Probe(lambda net, x, y, _: identity(net, x, y), ("start", "snapshots", "end"), needs_shortcuts=True),
    "shattering": Probe(shattering, ("start", "end")),
    "lesions": Probe(lesions, ("end",), split="test"),
    "paths": Probe(paths, ("start", "end"), needs_shortcuts=True),
}


def fits(name: str, shortcut: str) -> bool:
    """Can this probe be taken of networks with this shortcut?"""
    return shortcut != "none" or not PROBES[name].needs_shortcuts


def probe_batch(name: str, feed: Feed, batch_size: int) -> Batch:
    """The un-augmented pictures that a probe sees: the first of the training pictures, or the test pictures."""
    split = PROBES[name].split
    wanted = batch_size if split == "train" else TEST_PICTURES
    pictures, labels = [], []
    for batch, of_batch in feed.clean(split):
        pictures.append(batch)
        labels.append(of_batch)
        if sum(map(len, labels)) >= wanted:
            break
    return torch.cat(pictures)[:wanted], torch.cat(labels)[:wanted]


def take(name: str, network: Network, batch: Batch, seed: int, iteration: int) -> Table:
    """The table of a probe; what is random in it depends on the run's seed and the iteration alone."""
    return PROBES[name].measure(network, *batch, generator(seed, f"probe/{name}", iteration))
