"""SGD as in He et al. 2015, and one training step in fp32 or under bf16 autocast."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Optim, Precision
from degradation.training.device import at_least_float32, autocast, memory_format


def build_optimizer(network: nn.Module, optim: Optim) -> torch.optim.SGD:
    """Build SGD with momentum and weight decay (He et al. 2015, 4.2).

    Weight decay applies to all parameters (`optim.decay: all`), or to the weights of convolutions
    and linear layers only (`weights`): then biases and BN's scale and shift are exempt.
    """
    decayed: list[Tensor] = []
    exempt: list[Tensor] = []
    for module in network.modules():
        has_weight = isinstance(module, nn.Conv2d | nn.Linear)
        for name, parameter in module.named_parameters(recurse=False):
            is_weight = has_weight and name == "weight"
            is_decayed = is_weight or optim.decay == "all"
            (decayed if is_decayed else exempt).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}]
    if exempt:
        groups.append({"params": exempt, "weight_decay": 0.0})
    return torch.optim.SGD(
        groups, lr=optim.lr, momentum=optim.momentum, weight_decay=optim.weight_decay, foreach=True
    )


def set_learning_rate(optimizer: torch.optim.SGD, lr: float, momentum_form: str) -> None:
    """Set the learning rate of the next update.

    Args:
        momentum_form: `pytorch` (v = m v + g, w -= lr v) or `caffe` (v = m v + lr g, w -= v). Both
            give the same updates while lr is constant. When lr changes, Caffe's velocity still
            contains the old lr; to match it, PyTorch's velocity is scaled by old lr / new lr.
    """
    for group in optimizer.param_groups:
        old_lr = group["lr"]
        if momentum_form == "caffe" and old_lr != lr:
            for parameter in group["params"]:
                velocity = optimizer.state[parameter].get("momentum_buffer")
                if velocity is not None:
                    velocity.mul_(old_lr / lr)
        group["lr"] = lr


def train_step(
    network: nn.Module,
    optimizer: torch.optim.SGD,
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
    images = images.contiguous(memory_format=memory_format(precision))
    with autocast(images.device, precision):
        logits: Tensor = network(images)
    loss = F.cross_entropy(at_least_float32(logits), labels)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    wrong = (logits.detach().argmax(1) != labels).sum()
    return loss.detach(), wrong
