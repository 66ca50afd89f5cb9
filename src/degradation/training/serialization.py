"""Tensors and plain values to bytes and back. Reading never runs code (`weights_only`)."""

import io
from typing import Any

import torch
from torch import Tensor


class CheckpointError(Exception):
    """Bytes that this code cannot read as a checkpoint."""


def dump(state: Any) -> bytes:
    """Return tensors and plain values as bytes in PyTorch's own format."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load(content: bytes) -> Any:
    """Return what `dump` was given, with all tensors on the CPU.

    Raises:
        CheckpointError: the bytes are truncated, changed, or hold more than tensors and plain
            values. The message does not repeat the unpickler's, which explains how to run the code.
    """
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # corrupt bytes make the unpickler raise almost any exception
        raise CheckpointError("is corrupt, or holds more than tensors and plain values") from None


def copy_weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """Copy a network's parameters and BN statistics to the CPU, in the default memory format."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }
