"""The slots of this machine: cores, GPUs, or shares of a GPU."""

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra_plugins.pool_launcher._gpus import Gpu, has_exclusive_gpu, list_visible_gpus
from hydra_plugins.pool_launcher._mps import has_mps_daemon

# Limits of the number of jobs that share a GPU if it is chosen automatically; not measured here.
# On an A100, several small networks at once had up to 4 times the throughput (arXiv 2209.06018).
MOST_WITH_MPS = 8
MOST_TAKING_TURNS = 3


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time, with the environment variables that its process gets."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)


def find_slots(
    device: str,
    count: int | None,
    slots_per_gpu: int | None,
    threads: int,
    count_gpus: str | None,
    count_fitting: str | None = None,
    jobs: Sequence[Any] = (),
) -> list[Slot]:
    """Return the slots of this machine, with the arguments of `list_slots`.

    Args:
        slots_per_gpu: None to choose a number, by `choose_slots_per_gpu`
        count_gpus: as in `list_visible_gpus`, for "cuda" and "auto", or None if no GPU is used
        count_fitting, jobs: as in `list_visible_gpus`; used if `slots_per_gpu` is None

    Raises CompactHydraException if the GPUs cannot be counted.
    """
    gpus: list[Gpu] = []
    if count_gpus is not None and device in ("auto", "cuda"):
        if slots_per_gpu is None:
            gpus = list_visible_gpus(count_gpus, count_fitting, jobs)
            slots_per_gpu = choose_slots_per_gpu(gpus, threads)
        else:
            gpus = list_visible_gpus(count_gpus)
    return list_slots(device, count, slots_per_gpu or 1, threads, gpus)


def choose_slots_per_gpu(gpus: Sequence[Gpu], threads: int) -> int:
    """Return how many jobs share a GPU: what fits into its memory, within the limits below.

    Each job needs `threads` cores. Without NVIDIA's MPS, processes on one GPU take turns, so that
    more of them only fill the time in which one of them computes on the CPU; and a GPU in an
    exclusive mode refuses all but one.
    """
    fitting = [gpu.fitting for gpu in gpus if gpu.fitting is not None]
    if not fitting or len(fitting) < len(gpus):
        return 1
    cores = _count_cores() // (len(gpus) * max(1, threads))
    return max(1, min(*fitting, cores, _limit_slots_per_gpu()))


def _limit_slots_per_gpu() -> int:
    """Return how many jobs may share a GPU, whatever their size."""
    if has_mps_daemon():
        return MOST_WITH_MPS
    return 1 if has_exclusive_gpu() else MOST_TAKING_TURNS


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
