"""Choose the device and the precision, and make PyTorch reproducible."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from degradation.config import BF16, TF32, ConfigError, Precision
from degradation.config.schema import FP32

log = logging.getLogger(__name__)

Placed = TypeVar("Placed", bound=nn.Module)

# 1: cuDNN predicts the fastest algorithm of each convolution with its newer model, "mode B"
HEURISTIC_VARIABLE = "TORCH_CUDNN_USE_HEURISTIC_MODE_B"


def choose_device(name: str) -> torch.device:
    """Return the device named by the key `device`; `auto` prefers CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: this machine does not have the requested device.
    """
    availability = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    available = [kind for kind, is_available in availability.items() if is_available]
    if name == "auto":
        return torch.device(available[0])
    if name not in available:
        raise ConfigError(
            f"device: {name!r} is not available; allowed on this machine:"
            f" {', '.join(['auto', *available])}"
        )
    return torch.device(name)


def count_gpus() -> tuple[int, tuple[str, ...], str | None]:
    """Count the GPUs that PyTorch can use; this initialises the driver in this process.

    The pool launcher calls this function in a child process, by its dotted name in
    conf/hydra/launcher/pool.yaml.

    Returns:
        the number of GPUs; the environment variables that may list them, of which the first that
        is set decides; and PyTorch's reason for using no GPU, or None if it states none.
    """
    variables: tuple[str, ...] = ("CUDA_VISIBLE_DEVICES",)
    if torch.version.hip is not None:
        variables = ("HIP_VISIBLE_DEVICES", *variables)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        is_available = torch.cuda.is_available()
    if not is_available:
        reasons = [str(warning.message).splitlines()[0] for warning in caught]
        return 0, variables, reasons[0] if reasons else None
    # once initialised, torch returns the driver's own count
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return torch.cuda.device_count(), variables, None


def check_precision(device: torch.device, precision: Precision) -> None:
    """Check that the device supports the precision; warn once per process if a CPU emulates bf16.

    Raises:
        ConfigError: tf32 or bf16 is requested and the device does not support it.
    """
    if precision.dtype == TF32 and not _supports_tf32(device):
        raise _unsupported(device, precision)
    if precision.dtype != BF16:
        return
    if device.type == "cpu":
        _warn_about_emulation()
    elif not _supports_bf16(device):
        raise _unsupported(device, precision)


def _unsupported(device: torch.device, precision: Precision) -> ConfigError:
    return ConfigError(
        f"precision.dtype: {precision.dtype!r} is not supported by this {device.type} device;"
        " allowed: fp32"
    )


def _supports_tf32(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere


def _supports_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.backends.mps.is_macos_or_newer(14, 0))


@cache
def _warn_about_emulation() -> None:
    """Warn if the processor has no bf16 instructions: results are correct, but take longer."""
    capabilities = torch.cpu.get_capabilities()
    is_native = any(available for name, available in capabilities.items() if "bf16" in name)
    if not is_native:
        log.warning(
            "precision.dtype: this processor has no %s instructions and emulates them;"
            " fp32 is faster here",
            BF16,
        )


def make_reproducible(threads: int, precision: Precision) -> None:
    """Make repeated runs on one machine bit-identical, and allow TF32 only where it is requested.

    This must precede the first convolution of this process by cuDNN, at which PyTorch reads
    HEURISTIC_VARIABLE once; a later change has no effect.

    With `precision.deterministic: false`, cuDNN times its algorithms and picks the fastest, so
    repeated runs on a GPU differ by rounding.

    Args:
        threads: number of CPU threads per operation. It determines how sums are split, and so
            changes the last bits of results on a CPU.
    """
    choose_heuristic()
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = not precision.deterministic
    torch.backends.cudnn.deterministic = precision.deterministic
    # what another program in this process may have set
    torch.set_float32_matmul_precision("highest")
    for owner in _list_precision_owners():
        owner.fp32_precision = "none"
    torch.backends.cudnn.allow_tf32 = precision.dtype == TF32
    torch.backends.cuda.matmul.allow_tf32 = precision.dtype == TF32


def choose_heuristic() -> str:
    """Let cuDNN choose algorithms by its newer model unless the user decides; return the choice."""
    return os.environ.setdefault(HEURISTIC_VARIABLE, "1")


@contextmanager
def restored_settings() -> Iterator[None]:
    """After the context, PyTorch's settings that `make_reproducible` changes are as before it.

    The environment variable stays set: PyTorch may have read it already.
    """
    threads = torch.get_num_threads()
    cudnn: Any = torch.backends.cudnn
    matmul = torch.backends.cuda.matmul
    benchmark, deterministic = cudnn.benchmark, cudnn.deterministic
    allowed = [(backend, _read_allow_tf32(backend)) for backend in (cudnn, matmul)]
    matmul_precision = _read_matmul_precision()
    owners = _list_precision_owners()
    precisions = [owner.fp32_precision for owner in owners]
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cudnn.benchmark, cudnn.deterministic = benchmark, deterministic
        # in this order, since each of them also changes what the next one sets
        for backend, allow_tf32 in allowed:
            if allow_tf32 is not None:
                backend.allow_tf32 = allow_tf32
        if matmul_precision is not None:
            torch.set_float32_matmul_precision(matmul_precision)
        for owner, precision in zip(owners, precisions, strict=True):
            owner.fp32_precision = precision


def _list_precision_owners() -> tuple[Any, ...]:
    """Return everything that has an `fp32_precision`, which single operations inherit."""
    backends: Any = torch.backends
    cudnn, mkldnn = backends.cudnn, backends.mkldnn
    of_cudnn = (cudnn, cudnn.conv, cudnn.rnn, backends.cuda.matmul)
    of_mkldnn = (mkldnn, mkldnn.conv, mkldnn.rnn, mkldnn.matmul)
    return (backends, *of_cudnn, *of_mkldnn)


def _read_matmul_precision() -> str | None:
    """Return the precision of matrix products, or None where PyTorch refuses to.

    It refuses after something has set `fp32_precision` to what has no older name.
    """
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return None


def _read_allow_tf32(backend: Any) -> bool | None:
    """Return `allow_tf32`, or None where PyTorch refuses to: something has set `fp32_precision`."""
    try:
        return bool(backend.allow_tf32)
    except RuntimeError:
        return None


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Return the autocast context of a forward pass; it does nothing for fp32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision.dtype == BF16)


def memory_format(precision: Precision, device: torch.device) -> torch.memory_format:
    """Return the memory format of weights and batches; it changes numbers by rounding only.

    Channels last is faster, except for fp32 on a CUDA GPU: cuDNN's deterministic algorithms without
    TF32 convert most operands to the other format first.
    """
    converts = device.type == "cuda" and precision.dtype == FP32 and precision.deterministic
    if precision.channels_last and not converts:
        return torch.channels_last
    return torch.contiguous_format


def place_network(network: Placed, precision: Precision, device: torch.device) -> Placed:
    """Move a network to a device, into the memory format of its weights there, and return it."""
    return network.to(device).to(memory_format=memory_format(precision, device))


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits in float32, or in float64 if they are, so that no loss is computed in bf16."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
