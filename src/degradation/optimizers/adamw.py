"""AdamW: Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

import torch

from degradation.config import Optim
from degradation.optimizers.base import ParameterGroups, ScheduledOptimizer, adam_options
from degradation.registry import OPTIMIZERS


@OPTIMIZERS.register("adamw", keys=("beta1", "beta2", "epsilon"), state_values=2)
class AdamW(ScheduledOptimizer, torch.optim.AdamW):
    """Adam whose weight decay is not part of the gradient (Loshchilov and Hutter 2019).

    Each update first does w *= 1 - lr `weight_decay`, with the learning rate of that update, so
    that the decay follows the schedule. It is then Adam's without weight decay.
    """

    def __init__(self, groups: ParameterGroups, optim: Optim) -> None:
        super().__init__(groups, **adam_options(groups, optim))
