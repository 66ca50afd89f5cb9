"""Networks whose gradients, responses and errors can be computed by hand."""

import pytest
import torch
from torch import nn

from degradation.data.random_streams import build_generator
from degradation.models.basic_block import BasicBlock
from degradation.models.initialisation import initialise
from degradation.models.network import Network


class LinearNetwork(Network):
    """One channel, no BN, no ReLU after the stem: x -> logits (h, -h).

    Each block multiplies its input by 1 + f with a shortcut, by f without. A block is two
    convolutions, and f is the product of their middle weights. Images are single positive pixels,
    so no other weight counts.

    Args:
        weights: the two middle weights of each block.
    """

    def __init__(self, weights: list[tuple[float, float]], residual: bool) -> None:
        nn.Module.__init__(self)
        self.layout, self.bn_last, self.stages = "cifar", None, ["layer1"]
        self.conv1 = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        self.bn1 = nn.Identity()
        self.layer1 = nn.Sequential()
        self.fc = nn.Linear(1, 2)
        with torch.no_grad():
            self.conv1.weight.zero_()[0, 0, 1, 1] = 1
            self.fc.weight.copy_(torch.tensor([[1.0], [-1.0]]))
            self.fc.bias.zero_()
            for pair in weights:
                block = BasicBlock(1, 1, residual=residual, order="pre", first=True)
                del block.bn2
                for convolution, weight in zip((block.conv1, block.conv2), pair, strict=True):
                    convolution.weight.zero_()[0, 0, 1, 1] = weight
                self.layer1.append(block)


@pytest.fixture
def linear():
    """Return the class LinearNetwork."""
    return LinearNetwork


@pytest.fixture
def build_network(make_model):
    """Return a function: keys of the model -> an initialised network in float64.

    It takes images of one channel and has ten classes.
    """

    def build(seed=0, **keys):
        model = make_model(**{"depth": 8, "width": 4, **keys})
        network = Network(model, 1, 10)
        initialise(network, build_generator(seed, "initialisation"))
        return network.double()

    return build


@pytest.fixture
def batch():
    """Return 16 images of 8 x 8 in float64, and their labels."""
    random = build_generator(0, "test")
    return torch.randn(16, 1, 8, 8, generator=random, dtype=torch.float64), torch.arange(16) % 10
