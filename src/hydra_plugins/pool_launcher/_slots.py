"""The slots of this machine: cores, GPUs, or shares of a GPU."""

import logging
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

log = logging.getLogger(__name__)

LISTED_GPU = re.compile(r"^GPU (\d+): ", re.MULTILINE)  # one line of `nvidia-smi -L`
DRIVER_TIMEOUT_S = 20  # loading the driver takes a while


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time, with the environment variables that its process gets."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)


def list_visible_gpus() -> list[str]:
    """Return the names of the GPUs that this process may use, without initialising CUDA.

    They are those in CUDA_VISIBLE_DEVICES if it is set, or else all that the driver lists. If the
    driver does not answer, a warning is logged and the list is empty.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        names = [name.strip() for name in visible.split(",")]
        return [name for name in names if name not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None or "+cpu" in _get_torch_version():
        return []
    try:
        completed = subprocess.run(
            [program, "-L"],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=DRIVER_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        problem = f"did not answer within {DRIVER_TIMEOUT_S} s"
    except subprocess.CalledProcessError as error:
        problem = f"ended with exit status {error.returncode}"
    except OSError as error:
        problem = f"cannot be started ({error.strerror})"
    else:
        return LISTED_GPU.findall(completed.stdout)
    log.warning(
        "nvidia-smi %s; no GPU is used. If there is one, set CUDA_VISIBLE_DEVICES=0", problem
    )
    return []


def _get_torch_version() -> str:
    """Return the installed version, for example `2.14.0+cpu`; "" if there is none."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def list_slots(
    device: str, count: int | None, slots_per_gpu: int, threads: int, gpus: Sequence[str]
) -> list[Slot]:
    """Return the slots for a device.

    Args:
        device: "cuda" for shares of GPUs, "mps" for Apple's GPU, "cpu" for cores, "auto" for the
            first of these that this machine has
        count: for GPUs, the maximum number of slots; for cores, the exact number, or None for one
            slot per `threads` cores
        slots_per_gpu: jobs that share a GPU
        threads: threads of a job
        gpus: the names of the visible GPUs

    Returns:
        the slots; an empty list for "cuda" without a GPU.
    """
    if device in ("cuda", "auto") and gpus:
        # one share of every GPU before the next, so that a capped list is spread over the GPUs
        shares = [
            Slot(f"gpu {gpu} share {share}", {"CUDA_VISIBLE_DEVICES": gpu})
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
