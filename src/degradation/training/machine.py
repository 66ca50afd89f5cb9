"""Describe the machine of a run, as far as the rounding of its numbers depends on it."""

import hashlib
import platform
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from degradation.training.device import choose_heuristic

LIBRARIES = ("torch", "torchvision", "numpy", "pillow")
# The lines of /proc/cpuinfo that tell processors apart, on x86 and on ARM.
PROCESSOR_KEYS = {"model name", "flags", "Features", "CPU implementer", "CPU part", "CPU variant"}


def name_device(device: torch.device) -> str:
    """Return the type of a device, followed by the model if it is a CUDA GPU."""
    if device.type == "cuda":
        return f"{device.type}: {torch.cuda.get_device_name(device)}"
    return device.type


def describe_machine(device: torch.device, threads: int) -> dict[str, Any]:
    """Return the device, the processor, the number of CPU threads and the libraries' versions."""
    cuda = device.type == "cuda"
    # cuDNN's choice of algorithms, which an environment variable can change
    choice = {"heuristic": choose_heuristic()} if cuda else {}
    return choice | {
        "device": name_device(device),
        "processor": _describe_processor() if device.type == "cpu" else "",
        "threads": threads,
        "libraries": {library: version(library) for library in LIBRARIES},
    }


def _describe_processor() -> str:
    """Return a hash of what identifies the CPU and the instructions that it and PyTorch use.

    Where the system does not describe its CPU, the host's name takes the place of the description.
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    first_core = text.partition("\n\n")[0].splitlines()
    description = [line for line in first_core if line.partition(":")[0].strip() in PROCESSOR_KEYS]
    if not description:
        description = [platform.machine(), socket.gethostname()]
    description.append(torch.backends.cpu.get_cpu_capability())
    return hashlib.sha256("\n".join(description).encode()).hexdigest()[:12]
