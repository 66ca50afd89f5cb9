"""Networks whose gradients, responses and errors can be computed by hand."""

import pytest
import torch
from torch import nn

from degradation.data.random_streams import build_generator
from degradation.models.basic_block import BasicBlock
from degradation.models.network import Network, initialise


class LinearNetwork(Network):
    """One channel, no BN, no ReLU after the stem: x -> logits (h, -h), h = x times (1 + f) or f for each block.

    A block is two convolutions whose middle weights are `first` and `second`; f is their product. Pictures are
    single positive pixels, so nothing but the middle weights counts.
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
            for both in weights:
                block = BasicBlock(1, 1, residual=residual, order="pre", first=True)
                del block.bn2
                for convolution, weight in zip((block.conv1, block.conv2), both, strict=True):
                    convolution.weight.zero_()[0, 0, 1, 1] = weight
                self.layer1.append(block)


@pytest.fixture
def linear():
    """weights of each block, residual -> LinearNetwork."""
    return LinearNetwork


@pytest.fixture
def network(make_model):
    """keys of the model -> an initialised network in float64, for one channel and ten classes."""

    def build(seed=0, **keys):
        made = Network(make_model(**{"depth": 8, "width": 4, **keys}), 1, 10)
        initialise(made, build_generator(seed, "initialisation"))
        return made.double()

    return build


@pytest.fixture
def batch():
    """16 pictures of 8x8 in float64, and labels."""
    random = build_generator(0, "test")
    return torch.randn(16, 1, 8, 8, generator=random, dtype=torch.float64), torch.arange(16) % 10
