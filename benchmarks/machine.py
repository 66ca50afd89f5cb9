"""The machine that a benchmark ran on: its device, its precisions and its threads."""

import os
import platform
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import torch

from degradation.config import BF16, TF32, Config, ConfigError
from degradation.config.schema import FP32
from degradation.counting import format_count
from degradation.environment import find_commit
from degradation.training.device import check_precision

CPUINFO = Path("/proc/cpuinfo")


def describe_device(device: torch.device) -> str:
    """Return the model of a GPU, or that of the processor and the number of its usable cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = find_processor_name()
    if device.type == "mps":
        return f"{name} (MPS)"
    return f"{name}, {format_count(count_cores(), 'core')}"


def find_processor_name() -> str:
    """Return the model that the system states, or the architecture if it states none."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return " ".join(value.split())
    return platform.processor() or platform.machine()


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe_software() -> dict[str, str]:
    """Return the version of PyTorch and the commit of this code, as columns of a table.

    The commit ends with `+` if tracked files differ from it.
    """
    commit = find_commit() or ""
    changed = "+" if commit.endswith("+") else ""
    return {"torch": version("torch"), "commit": commit[:12] + changed}


def list_precisions(config: Config, device: torch.device) -> list[str]:
    """Return the precisions that a device computes in itself, without emulation."""
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        has_bf16 = any(available for name, available in capabilities.items() if "bf16" in name)
        return [FP32, BF16] if has_bf16 else [FP32]
    supported = [FP32]
    for dtype in (TF32, BF16):
        try:
            check_precision(device, replace(config.precision, dtype=dtype))
        except ConfigError:
            continue
        supported.append(dtype)
    return supported
