"""Convert tensors and plain values to bytes and back. Loading never runs code (`weights_only`)."""

import io
from typing import Any

import torch
from torch import Tensor


class CheckpointError(Exception):
    """The bytes cannot be loaded. The message is a predicate: its subject is the file name."""


def dump(state: Any) -> bytes:
    """Return tensors and plain values as bytes in PyTorch's format."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def load(content: bytes) -> Any:
    """Return the object that `dump` has serialised, with all tensors on the CPU.

    Raises:
        CheckpointError: the bytes are corrupt, or contain more than tensors and plain values. The
            message omits the unpickler's, which explains how to run the code in the bytes.
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
