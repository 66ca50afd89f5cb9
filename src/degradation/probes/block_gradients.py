"""The two terms of a block's backward pass: through the shortcut and through the convolutions.

With x' = ReLU(S(x) + F(x)) (He et al. 2015) or x' = S(x) + F(x) (He et al. 2016), and the mask M of
the ReLU (M = 1 without it):

    dE/dx = S^T M dE/dx' + F'^T M dE/dx'

S is the identity, or the shortcut's Jacobian where it changes the shape. A plain block has no
shortcut term.
"""

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from degradation.models.blocks import Block
from degradation.models.network import Network
from degradation.models.random_draws import seed_block

# The equations hold for any number of images, and the float64 graphs of deep networks are large.
MAX_IMAGES = 32


class BlockGradients:
    """The two terms of a block's backward pass at one input.

    The graph of the forward pass is retained, so both terms can be computed for many gradients.
    If the block draws random numbers, call `seed_block` first: then it draws what it has drawn in
    `loss_through_blocks`.

    Args:
        x: the block's input (N, C, H, W); it is detached.
    """

    def __init__(self, block: Block, x: Tensor) -> None:
        self.x = x.detach().requires_grad_()
        activated = block.activate(self.x)
        self.convolution_output = block.apply_convolutions(activated)
        self.shortcut_output: Tensor | None = None
        total = self.convolution_output
        if block.residual:
            self.shortcut_output = block.apply_shortcut(self.x, activated)
            total = total + self.shortcut_output
        self.mask = total.detach() > 0 if block.order == "post" else None

    @property
    def has_identity_shortcut(self) -> bool:
        """Whether the shortcut passes x itself."""
        return self.shortcut_output is self.x

    def by_shortcut(self, gradient: Tensor) -> Tensor:
        """Return S^T M g, or 0 for a plain block.

        Args:
            gradient: g, the gradient of E with respect to the block's output, of its shape.

        Returns:
            A tensor of the shape of x.
        """
        gradient = self._mask_gradient(gradient)
        if self.shortcut_output is None:
            return torch.zeros_like(self.x)
        if self.shortcut_output is self.x:
            return gradient
        return self._pull_back(self.shortcut_output, gradient)

    def by_convolutions(self, gradient: Tensor) -> Tensor:
        """Return F'^T M g. Arguments and result are those of `by_shortcut`."""
        return self._pull_back(self.convolution_output, self._mask_gradient(gradient))

    def _pull_back(self, output: Tensor, gradient: Tensor) -> Tensor:
        """Return the product of a gradient with the Jacobian of an output, of the shape of x."""
        if not output.requires_grad:  # the block has dropped this path
            return torch.zeros_like(self.x)
        return torch.autograd.grad(
            output, self.x, gradient, retain_graph=True, allow_unused=True, materialize_grads=True
        )[0]

    def _mask_gradient(self, gradient: Tensor) -> Tensor:
        return gradient if self.mask is None else gradient * self.mask


def to_float64(network: Network, images: Tensor, labels: Tensor) -> tuple[Network, Tensor, Tensor]:
    """Return a copy of the network, and every n-th image with its label, in float64.

    At most `MAX_IMAGES` images remain. MPS has no float64, so from there all is copied to the CPU.
    """
    stride = math.ceil(len(images) / MAX_IMAGES)
    images, labels = images[::stride], labels[::stride]
    device = torch.device("cpu") if images.device.type == "mps" else images.device
    exact = copy.deepcopy(network).to(device).double()
    return exact, images.to(device).double(), labels.to(device)


def loss_through_blocks(
    network: Network, images: Tensor, labels: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Return the mean cross-entropy E (nats) of a batch, with its graph, and the blocks' inputs.

    The list holds the inputs x_0 to x_{n-1} of the n blocks, and the last block's output x_n.
    """
    x = network.stem(images)
    inputs = [x]
    for number, block in enumerate(network.blocks()):
        seed_block(network, number)
        x = block(x)
        inputs.append(x)
    return F.cross_entropy(network.head(x), labels), inputs


def list_stages(network: Network) -> list[int]:
    """Return the number of the stage, from 1, of each block."""
    stages = []
    for number, name in enumerate(network.stages, start=1):
        stage = network.get_submodule(name)
        stages += [number] * len(list(stage.children()))
    return stages
