"""One block's backward pass cut in two: what goes by the shortcut and what goes by the convolutions.

With x' = ReLU(S(x) + F(x)) (He et al. 2015) or x' = S(x) + F(x) (He et al. 2016), and the mask M of the ReLU:

    dE/dx = S^T M dE/dx' + F'^T M dE/dx'

S is the identity, or the shortcut's Jacobian where it changes the shape; a plain block has no such term.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from degradation.models.blocks import Block
from degradation.models.network import Network

MAX_IMAGES = 32  # in float64 at most: what is checked there holds for any number, and deep networks' graphs are large


class BlockGradients:
    """A block at one input x; its graph is kept, so that both terms can be taken of many gradients."""

    def __init__(self, block: Block, x: Tensor) -> None:
        self.x = x.detach().requires_grad_()
        activated = block.activate(self.x)
        self.convolved = block.convolutions(activated)
        self.passed = block.shortcut(self.x, activated) if block.residual else None
        total = self.convolved if self.passed is None else self.convolved + self.passed
        self.mask = total.detach() > 0 if block.order == "post" else None

    def by_shortcut(self, gradient: Tensor) -> Tensor:
        """S^T M times the gradient of E by the block's output."""
        gradient = self._masked(gradient)
        if self.passed is None:
            return torch.zeros_like(self.x)
        if self.passed is self.x:
            return gradient
        return torch.autograd.grad(self.passed, self.x, gradient, retain_graph=True)[0]

    def by_convolutions(self, gradient: Tensor) -> Tensor:
        """F'^T M times the gradient of E by the block's output."""
        return torch.autograd.grad(
            self.convolved, self.x, self._masked(gradient), retain_graph=True
        )[0]

    def _masked(self, gradient: Tensor) -> Tensor:
        return gradient if self.mask is None else gradient * self.mask


def in_float64(
    network: Network, pictures: Tensor, labels: Tensor
) -> tuple[Network, Tensor, Tensor]:
    """A copy of the network and some pictures of its batch in float64, on a device that has it."""
    pictures, labels = (
        pictures[:: math.ceil(len(pictures) / MAX_IMAGES)],
        labels[:: math.ceil(len(labels) / MAX_IMAGES)],
    )
    device = torch.device("cpu") if pictures.device.type == "mps" else pictures.device
    exact = copy.deepcopy(network).to(device).double()
    return exact, pictures.to(device).double(), labels.to(device)


def loss_through_blocks(
    network: Network, pictures: Tensor, labels: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """The mean loss E of a batch with its graph, and each block's input x_0 to x_{n-1} and the last output x_n."""
    x = network.stem(pictures)
    inputs = [x]
    for block in network.blocks():
        x = block(x)
        inputs.append(x)
    return F.cross_entropy(network.head(x), labels), inputs


def stages_of(network: Network) -> list[int]:
    """The stage, from 1, of each block."""
    return [
        number
        for number, stage in enumerate(network.stages, start=1)
        for _ in network.get_submodule(stage).children()
    ]
