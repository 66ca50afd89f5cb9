"""What training requires of an optimiser, in addition to PyTorch's interface."""

from typing import Any

import torch

ParameterGroups = list[dict[str, Any]]  # PyTorch's: "params", and values that differ from others'


class ScheduledOptimizer(torch.optim.Optimizer):
    """An optimiser of PyTorch whose learning rate the schedule sets before each update.

    A subclass is registered in OPTIMIZERS and constructed from (groups, `optim`). The fact `keys`
    of its registration names the keys of `optim` that it reads. Those that every optimiser reads
    (`degradation.run_id`) are not named. Other keys do not change its runs, nor their ids. The fact
    `state_values` says how many values its state holds for each weight, in a checkpoint too.
    """

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate of the next update."""
        for group in self.param_groups:
            group["lr"] = lr
