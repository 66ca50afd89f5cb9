"""One update of the weights, in fp32 or under bf16 autocast, the same on every device."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import BF16, ConfigError, Optim, Precision


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA, else MPS, else the CPU. Raises ConfigError where the one asked for is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, available in there.items() if available)
    if not there[name]:
        kinds = ", ".join(["auto", *(kind for kind, available in there.items() if available)])
        raise ConfigError(f"device: {name!r} is not there; allowed on this machine: {kinds}")
    return torch.device(name)


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


def make_optimizer(network: nn.Module, optim: Optim) -> torch.optim.SGD:
    """SGD with momentum in PyTorch's form, weight decay on all parameters (He et al. 2015, 4.2)."""
    return torch.optim.SGD(
        network.parameters(), lr=optim.lr, momentum=optim.momentum, weight_decay=optim.weight_decay, foreach=True
    )


def update(
    network: nn.Module, optimizer: torch.optim.SGD, lr: float, pictures: Tensor, labels: Tensor, precision: Precision
) -> tuple[Tensor, Tensor]:
    """One update. Returns the batch's mean loss and its number of wrong pictures, detached, on the device."""
    for group in optimizer.param_groups:
        group["lr"] = lr
    pictures = pictures.contiguous(memory_format=memory_format(precision))
    with autocast(pictures.device, precision):
        logits = network(pictures)
    loss = F.cross_entropy(logits.float(), labels)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    optimizer.step()
    return loss.detach(), (logits.detach().argmax(1) != labels).sum()
