"""Places for jobs on this machine: cores, GPUs, or shares of one."""

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

LISTED = re.compile(r"^GPU (\d+): ", re.MULTILINE)  # a line of `nvidia-smi -L`
DRIVER_SECONDS = 20  # a driver that is loaded anew takes some


@dataclass(frozen=True)
class Slot:
    """A place for one job at a time, with the environment its process gets."""

    name: str
    environment: dict[str, str] = field(default_factory=dict)


def list_visible_gpus() -> list[str]:
    """The GPUs this process may use, without touching CUDA: CUDA_VISIBLE_DEVICES, else what the driver lists.

    None, told, where the driver does not answer.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip() not in ("", "-1")]
    program = shutil.which("nvidia-smi")
    if program is None or "+cpu" in _torch():
        return []
    try:
        listed = subprocess.run(
            [program, "-L"],
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=DRIVER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        problem = f"did not answer in {DRIVER_SECONDS} s"
    except subprocess.CalledProcessError as error:
        problem = f"ended with status {error.returncode}"
    except OSError as error:
        problem = f"cannot be started ({error.strerror})"
    else:
        return LISTED.findall(listed.stdout)
    log.warning(
        "nvidia-smi %s: no GPU is used; CUDA_VISIBLE_DEVICES=0 says that there is one", problem
    )
    return []


def _torch() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def list_slots(
    device: str, count: int | None, slots_per_gpu: int, threads: int, gpus: Sequence[str]
) -> list[Slot]:
    """Where jobs run: shares of GPUs for `cuda`, one slot for `mps`, else cores; `auto` is the first of these there is.

    `count` caps the slots of GPUs, and sets those of cores (None: as many as there are cores for `threads` each).
    """
    if device in ("cuda", "auto") and gpus:
        # shares of one GPU are far apart in the list, so that a capped list is spread over the GPUs
        shares = [
            Slot(f"gpu {gpu} share {share}", {"CUDA_VISIBLE_DEVICES": gpu})
            for share in range(slots_per_gpu)
            for gpu in gpus
        ]
        return shares[:count]
    if device == "cuda":
        return []
    if device == "mps" or (
        device == "auto" and (sys.platform, platform.machine()) == ("darwin", "arm64")
    ):
        return [Slot("mps")]
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return [Slot(f"core {index}") for index in range(count or max(1, cores // max(1, threads)))]
