"""Blocks of a user's own that do more than convolutions; those of docs/extending.md are beside."""

RANDOM_DEPTH = '''
"""Stochastic depth (Huang et al. 2016), and a learned gate (ReZero, Bachlechner et al. 2021)."""

import torch
from torch import nn

from degradation.models.basic_block import BasicBlock
from degradation.registry import BLOCKS


@BLOCKS.register("stochastic_depth", layers=2, options={"survival": 0.5})
class StochasticDepth(BasicBlock):
    def __init__(self, in_channels, width, survival, **arguments):
        super().__init__(in_channels, width, **arguments)
        self.survival = survival

    def apply_convolutions(self, activated):
        if self.training and self.keeps_shape and torch.rand(()) >= self.survival:
            return torch.zeros_like(activated)
        y = super().apply_convolutions(activated)
        return y if self.training else self.survival * y


@BLOCKS.register("gated", layers=2)
class Gated(BasicBlock):
    def __init__(self, in_channels, width, **arguments):
        super().__init__(in_channels, width, **arguments)
        self.gate = nn.Parameter(torch.rand(()))

    def apply_convolutions(self, activated):
        return self.gate * super().apply_convolutions(activated)
'''
