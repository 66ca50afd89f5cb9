"""The slots of this machine: cores, GPUs, or shares of a GPU."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from hydra_plugins.pool_launcher._gpus import Gpu, list_visible_gpus


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time, with the environment variables that its process gets."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)


def find_slots(
    device: str, count: int | None, slots_per_gpu: int, threads: int, count_gpus: str | None
) -> list[Slot]:
    """Return the slots of this machine, with the arguments of `list_slots`.

    Args:
        count_gpus: as in `list_visible_gpus`, for "cuda" and "auto", or None if no GPU is used

    Raises CompactHydraException if the GPUs cannot be counted.
    """
    gpus: list[Gpu] = []
    if count_gpus is not None and device in ("auto", "cuda"):
        gpus = list_visible_gpus(count_gpus)
    return list_slots(device, count, slots_per_gpu, threads, gpus)


def list_slots(
    device: str, count: int | None, slots_per_gpu: int, threads: int, gpus: Sequence[Gpu]
) -> list[Slot]:
    """Return the slots for a device.

    Args:
        device: "cuda" for shares of GPUs, "mps" for Apple's GPU, "cpu" for cores, "auto" for the
            first of these that this machine has
        count: for GPUs, the maximum number of slots; for cores, the exact number, or None for one
            slot per `threads` cores
        slots_per_gpu: jobs that share a GPU
        threads: threads of a job
        gpus: those that jobs can use

    Returns:
        the slots, or an empty list for "cuda" without a GPU.
    """
    if device in ("cuda", "auto") and gpus:
        # one share of every GPU before the next, so that a capped list is spread over the GPUs
        shares = [
            Slot(f"gpu {gpu.name} share {share}", {gpu.variable: gpu.name})
            for share in range(slots_per_gpu)
            for gpu in gpus
        ]
        return shares[:count]
    if device == "cuda":
        return []
    if device == "mps" or (device == "auto" and _is_apple_silicon()):
        return [Slot("mps")]
    if count is None:
        count = max(1, _count_cores() // max(1, threads))
    return [Slot(f"core {index}") for index in range(count)]


def _is_apple_silicon() -> bool:
    return (sys.platform, platform.machine()) == ("darwin", "arm64")


def _count_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
