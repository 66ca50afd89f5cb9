"""Tensors and plain values to bytes and back; reading never runs code (weights_only)."""

import io
from typing import Any

import torch
from torch import Tensor


class CheckpointError(Exception):
    """Bytes that are no checkpoint of this code."""


def dump(state: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load(content: bytes) -> Any:
    """Tensors come back on the CPU. Raises CheckpointError."""
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (
        Exception
    ):  # what torn or foreign bytes raise in the unpickler is anything, and says how to run them
        raise CheckpointError("is damaged, or holds more than tensors and plain values") from None


def weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of a network's parameters and BN statistics, on the CPU, in torch's default memory format."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
