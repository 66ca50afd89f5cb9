"""The loss around a trained network, on a line and a square (Li et al. 2018, section 4).

The weights move along two random directions. Each filter of a direction has the norm of the
network's filter. Biases and BN's scale and shift do not move, and BN normalises by the moving
averages of the trained network, as in the paper.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from degradation.models.error_counts import count_errors

Direction = dict[str, Tensor]  # by the name of the parameter that it moves


def draw_direction(network: nn.Module, generator: torch.Generator) -> Direction:
    """Draw a random direction, normalised filter by filter (in the linear layer, row by row).

    It contains the weights of convolutions and linear layers, but not biases and BN's parameters.

    Args:
        generator: a CPU generator, which is advanced.
    """
    direction = {}
    for name, weight in network.named_parameters():
        if weight.dim() < 2:
            continue
        change = torch.randn(weight.shape, generator=generator).to(weight)
        length = weight.detach().flatten(1).norm(dim=1) / change.flatten(1).norm(dim=1)
        direction[name] = change * length.view(-1, *[1] * (weight.dim() - 1))
    return direction


class LossSurface:
    """The loss and the error of a network moved along two directions.

    Args:
        network: it is put into eval mode, and `measure` leaves its weights at the measured point.
        directions: d_1 and d_2.
        layout: the memory format of the network, which the images get too.
    """

    def __init__(
        self,
        network: nn.Module,
        directions: tuple[Direction, Direction],
        layout: torch.memory_format = torch.channels_last,
    ) -> None:
        self.network, self.directions, self.layout = network.eval(), directions, layout
        self.centre = {
            name: value.detach().clone()
            for name, value in network.named_parameters()
            if name in directions[0]
        }

    def measure(
        self, x: float, y: float, batches: Iterable[tuple[Tensor, Tensor]]
    ) -> tuple[float, float]:
        """Return mean cross-entropy (nats) and error (percent) with the weights w + x d_1 + y d_2.

        Args:
            batches: images float (B, C, H, W) and labels int64 (B,), on the network's device.
        """
        self._move_to(x, y)
        counts = count_errors(self._forward, batches)
        return counts.loss, counts.error

    def _move_to(self, x: float, y: float) -> None:
        parameters = dict(self.network.named_parameters())
        first, second = self.directions
        with torch.no_grad():
            for name, value in self.centre.items():
                moved = torch.add(value, first[name], alpha=x).add_(second[name], alpha=y)
                parameters[name].copy_(moved)

    def _forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images.contiguous(memory_format=self.layout))
        return logits
