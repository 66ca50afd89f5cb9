"""One update of the weights, in fp32 or under bf16 autocast, the same on every device."""

import logging
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import BF16, ConfigError, Optim, Precision

log = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA, else MPS, else the CPU. Raises ConfigError where the one asked for is not there."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, available in there.items() if available)
    if not there[name]:
        kinds = ", ".join(["auto", *(kind for kind, available in there.items() if available)])
        raise ConfigError(f"device: {name!r} is not there; allowed on this machine: {kinds}")
    return torch.device(name)


def check_precision(device: torch.device, precision: Precision) -> None:
    """Raise ConfigError where the device has no bf16 and it is asked for; a CPU emulates it, which is told once."""
    if precision.dtype != BF16:
        return
    if device.type == "cpu":
        _tell_of_emulation()
    elif not _has_bf16(device):
        raise ConfigError(
            f"precision.dtype: {BF16!r} is not allowed on this {device.type} device; allowed: fp32"
        )


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.backends.mps.is_macos_or_newer(14, 0))


@cache
def _tell_of_emulation() -> None:
    """Once a process, where the processor has no instructions for bf16: the numbers are as good, the speed is not."""
    if not any(there for name, there in torch.cpu.get_capabilities().items() if "bf16" in name):
        log.warning(
            "precision.dtype: this processor has no %s of its own, so it is emulated; fp32 is faster here",
            BF16,
        )


def make_reproducible(threads: int) -> None:
    """The same bits in every repeat on one machine; fp32 means fp32 (no TF32)."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision.dtype == BF16)


def memory_format(precision: Precision) -> torch.memory_format:
    return torch.channels_last if precision.channels_last else torch.contiguous_format


def at_least_float32(logits: Tensor) -> Tensor:
    """bf16 as float32; float64 stays."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def make_optimizer(network: nn.Module, optim: Optim) -> torch.optim.SGD:
    """SGD with momentum (He et al. 2015, 4.2); weight decay on all parameters, or on weights only.

    `weights` are those of convolutions and linear layers: not the biases, and not BN's scale and shift.
    """
    decayed: list[Tensor] = []
    spared: list[Tensor] = []  # from weight decay
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            weight = name == "weight" and isinstance(module, nn.Conv2d | nn.Linear)
            (decayed if weight or optim.decay == "all" else spared).append(parameter)
    groups: list[dict[str, Any]] = [{"params": decayed}]
    if spared:
        groups.append({"params": spared, "weight_decay": 0.0})
    return torch.optim.SGD(
        groups, lr=optim.lr, momentum=optim.momentum, weight_decay=optim.weight_decay, foreach=True
    )


def set_learning_rate(optimizer: torch.optim.SGD, lr: float, momentum_form: str) -> None:
    """Set the rate of the next update.

    Caffe's velocity is m v + lr g where PyTorch's is m v + g: the same while lr stays, and where it jumps Caffe's keeps
    the size that the old rate gave it. So here PyTorch's is scaled by old over new.
    """
    for group in optimizer.param_groups:
        if momentum_form == "caffe" and group["lr"] != lr:
            for parameter in group["params"]:
                if (velocity := optimizer.state[parameter].get("momentum_buffer")) is not None:
                    velocity.mul_(group["lr"] / lr)
        group["lr"] = lr


def train_step(
    network: nn.Module,
    optimizer: torch.optim.SGD,
    pictures: Tensor,
    labels: Tensor,
    precision: Precision,
) -> tuple[Tensor, Tensor]:
    """One update. Returns the batch's mean loss and its number of wrong pictures, detached, on the device."""
    pictures = pictures.contiguous(memory_format=memory_format(precision))
    with autocast(pictures.device, precision):
        logits: Tensor = network(pictures)
    loss = F.cross_entropy(at_least_float32(logits), labels)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.detach(), (logits.detach().argmax(1) != labels).sum()
