"""The loss around a trained network on a line and a square (Li et al. 2018, section 4).

Two random directions, each filter of them as long as the network's own; biases and BN's parameters stay, and BN
normalises by the moving averages of the trained network, as there.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from degradation.models.network import Network


def direction(network: Network, generator: torch.Generator) -> dict[str, Tensor]:
    """A random direction, normalised filter by filter; the parameters that it does not move are left out."""
    found = {}
    for name, weight in network.named_parameters():
        if weight.dim() < 2:
            continue  # biases, BN's scale and shift
        drawn = torch.randn(weight.shape, generator=generator).to(weight)
        size = weight.detach().flatten(1).norm(dim=1) / drawn.flatten(1).norm(dim=1)
        found[name] = drawn * size.view(-1, *[1] * (weight.dim() - 1))
    return found


class Surface:
    """The loss and error of a network moved along two directions; the network is changed."""

    def __init__(
        self, network: Network, along: tuple[dict[str, Tensor], dict[str, Tensor]]
    ) -> None:
        self.network, self.along = network.eval(), along
        self.centre = {
            name: value.detach().clone()
            for name, value in network.named_parameters()
            if name in along[0]
        }

    def measure(
        self, x: float, y: float, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> tuple[float, float]:
        """At w + x d_1 + y d_2: mean cross-entropy in nats, error in percent, over the pictures of the batches."""
        parameters = dict(self.network.named_parameters())
        with torch.no_grad():
            for name, value in self.centre.items():
                moved = torch.add(value, self.along[0][name], alpha=x).add_(
                    self.along[1][name], alpha=y
                )
                parameters[name].copy_(moved)
        loss, wrong, seen = 0.0, 0, 0
        with torch.inference_mode():
            for pictures, labels in batches:
                logits = self.network(pictures.contiguous(memory_format=torch.channels_last))
                loss += F.cross_entropy(logits, labels, reduction="sum").item()
                wrong += int((logits.argmax(1) != labels).sum())
                seen += len(labels)
        return loss / seen, 100 * wrong / seen
