"""Adam (Kingma and Ba 2015)."""

import torch

from degradation.config import Optim
from degradation.optimizers.base import ParameterGroups, ScheduledOptimizer, adam_options
from degradation.registry import OPTIMIZERS


@OPTIMIZERS.register("adam", keys=("beta1", "beta2", "epsilon"), state_values=2)
class Adam(ScheduledOptimizer, torch.optim.Adam):
    """Adam (Kingma and Ba 2015, algorithm 1), with weight decay as an L2 penalty.

    With the gradient g, to which weight decay adds `weight_decay` w, update t = 1, 2, ... is

        m = beta1 m + (1 - beta1) g
        v = beta2 v + (1 - beta2) g^2
        w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)

    The penalty's gradient is divided by sqrt(v) too, so weights with large gradients decay less.
    """

    def __init__(self, groups: ParameterGroups, optim: Optim) -> None:
        super().__init__(groups, **adam_options(groups, optim))
