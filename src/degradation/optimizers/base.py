"""What training requires of an optimiser, in addition to PyTorch's interface."""

import math
from typing import Any

import torch
from torch import Tensor

from degradation.config import ConfigError, Optim

ParameterGroups = list[dict[str, Any]]  # PyTorch's: "params", and values that differ from others'

# Devices on which one fused kernel updates all parameters and reads the learning rate from a tensor
FUSED_DEVICES = ("cuda",)
# What a device decides about an update, so a checkpoint of another device must not change it
DEVICE_OPTIONS = ("lr", "fused", "foreach", "capturable")


def device_options(groups: ParameterGroups, lr: float) -> dict[str, Any]:
    """Return PyTorch's options for updates on the device of the parameters: `lr` and its kernels.

    A CUDA graph repeats the values that its kernels were launched with, so there the learning rate
    is a tensor. Fused kernels round differently from the others: in the last bit of a weight, as
    devices differ anyway.

    Raises ConfigError if there is no parameter.
    """
    device = _find_device(groups)
    if device.type not in FUSED_DEVICES:
        return {"lr": lr, "foreach": True}
    return {"lr": torch.tensor(lr, dtype=torch.float32, device=device), "fused": True}


def adam_options(groups: ParameterGroups, optim: Optim) -> dict[str, Any]:
    """Return the options of PyTorch's Adam and AdamW. Raises the same as `device_options`."""
    options = device_options(groups, optim.lr)
    return {
        "betas": (optim.beta1, optim.beta2),
        "eps": optim.epsilon,
        "weight_decay": optim.weight_decay,
        "capturable": "fused" in options,
        **options,
    }


def _find_device(groups: ParameterGroups) -> torch.device:
    """Return the device of the first parameter. Raises ConfigError if there is none."""
    for group in groups:
        for parameter in group["params"]:
            device: torch.device = parameter.device
            return device
    raise ConfigError(
        "model.network: a network without parameters cannot be trained; allowed: at least one"
    )


class ScheduledOptimizer(torch.optim.Optimizer):
    """An optimiser of PyTorch whose learning rate the schedule sets before each update.

    A subclass is registered in OPTIMIZERS and constructed from (groups, `optim`). The fact `keys`
    of its registration names the keys of `optim` that it reads. Those that every optimiser reads
    (`degradation.run_id`) are not named. Other keys do not change its runs, nor their ids. The fact
    `state_values` says how many values its state holds for each weight, in a checkpoint too.

    Attributes:
        has_device_rate: whether an update reads the learning rate from the device, so that it can
            be captured in a CUDA graph. It then has the options of `device_options`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_device_rate = isinstance(self.param_groups[0]["lr"], Tensor)
        self._rate = float(self.param_groups[0]["lr"])
        # PyTorch's Adam would warn at the first update, which is never captured
        self._warned_capturable_if_run_uncaptured = True

    def set_learning_rate(self, lr: float) -> None:
        """Set the learning rate of the next update."""
        if lr != self._rate or not self.has_device_rate:
            for group in self.param_groups:
                if self.has_device_rate:
                    group["lr"].fill_(lr)
                else:
                    group["lr"] = lr
        self._rate = lr

    def state_dict(self) -> dict[str, Any]:
        """Return the state as PyTorch does, with the learning rate as a number on any device."""
        state = super().state_dict()
        for group in state["param_groups"]:
            group["lr"] = self._rate
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state, also that of another device; updates remain those of this device."""
        rate = float(state_dict["param_groups"][0]["lr"])
        groups = []
        for saved, own in zip(state_dict["param_groups"], self.param_groups, strict=True):
            options = {name: own[name] for name in DEVICE_OPTIONS if name in own}
            groups.append({**saved, **options})
        super().load_state_dict({**state_dict, "param_groups": groups})
        self._lay_out_state()
        self._rate = math.nan  # so that the tensors are written
        ScheduledOptimizer.set_learning_rate(self, rate)

    def _lay_out_state(self) -> None:
        """Give what the state holds for each weight the memory format of the weights.

        Fused kernels require it, and a device may have another memory format than the one whose
        checkpoint this is.
        """
        for parameter, values in self.state.items():
            for name, value in values.items():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    values[name] = torch.empty_like(parameter).copy_(value)
