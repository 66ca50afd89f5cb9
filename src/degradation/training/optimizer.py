"""The optimiser of a run, and one training step in fp32 or under bf16 autocast."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Optim, Precision
from degradation.optimizers.base import ParameterGroups, ScheduledOptimizer
from degradation.registry import OPTIMIZERS
from degradation.training.device import at_least_float32, autocast, memory_format


def build_optimizer(network: nn.Module, optim: Optim) -> ScheduledOptimizer:
    """Build the optimiser that `optim.name` names.

    Weight decay applies to all parameters (`optim.decay: all`), or to the weights of convolutions
    and linear layers only (`weights`): then biases and BN's scale and shift are exempt.
    """
    decayed: list[Tensor] = []
    exempt: list[Tensor] = []
    listed: set[Tensor] = set()  # two layers may share a parameter
    for module in network.modules():
        has_weight = isinstance(module, nn.Conv2d | nn.Linear)
        for name, parameter in module.named_parameters(recurse=False):
            if parameter in listed:
                continue
            listed.add(parameter)
            is_weight = has_weight and name == "weight"
            is_decayed = is_weight or optim.decay == "all"
            (decayed if is_decayed else exempt).append(parameter)
    groups: ParameterGroups = [{"params": decayed}]
    if exempt:
        groups.append({"params": exempt, "weight_decay": 0.0})
    optimizer: ScheduledOptimizer = OPTIMIZERS.load(optim.name)(groups, optim)
    return optimizer


def train_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    precision: Precision,
) -> tuple[Tensor, Tensor]:
    """Update the weights once, on one batch.

    Args:
        images: float32 (B, C, H, W), normalised, on the network's device.
        labels: int64 (B,).

    Returns:
        The batch's mean cross-entropy in nats and its number of misclassified images, both before
        the update. They are detached scalars on the device, so this does not wait for the device.
    """
    images = images.contiguous(memory_format=memory_format(precision, images.device))
    with autocast(images.device, precision):
        logits: Tensor = network(images)
    loss = F.cross_entropy(at_least_float32(logits), labels)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    wrong = (logits.detach().argmax(1) != labels).sum()
    return loss.detach(), wrong
