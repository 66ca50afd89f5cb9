"""Stochastic gradient descent with momentum, as in He et al. 2015."""

import torch

from degradation.config import Optim
from degradation.optimizers.base import ParameterGroups, ScheduledOptimizer, device_options
from degradation.registry import OPTIMIZERS


@OPTIMIZERS.register("sgd", keys=("momentum", "momentum_form"), state_values=1)
class SGD(ScheduledOptimizer, torch.optim.SGD):
    """SGD with momentum and weight decay (He et al. 2015, 4.2).

    The weight decay is added to the gradient. `optim.momentum_form` is `pytorch` (v = m v + g,
    w -= lr v) or `caffe` (v = m v + lr g, w -= v). Both give the same updates while lr is constant.
    """

    def __init__(self, groups: ParameterGroups, optim: Optim) -> None:
        super().__init__(
            groups,
            momentum=optim.momentum,
            weight_decay=optim.weight_decay,
            **device_options(groups, optim.lr),
        )
        self.momentum_form = optim.momentum_form

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate of the next update.

        When it changes, Caffe's velocity still contains the old learning rate; to match it,
        PyTorch's velocity is scaled by old / new.
        """
        if self.momentum_form == "caffe":
            self._scale_velocities(lr)
        super().set_learning_rate(lr)

    def _scale_velocities(self, lr: float) -> None:
        if lr == self._rate:
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                velocity = self.state[parameter].get("momentum_buffer")
                if velocity is not None:
                    velocity.mul_(self._rate / lr)
