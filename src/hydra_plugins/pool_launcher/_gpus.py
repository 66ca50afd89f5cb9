"""The GPUs that jobs can use, counted by the jobs' own library in a child process.

Environment variables alone are unreliable: they may name GPUs that this machine lacks, or be set by
habit or by a scheduler on a machine without GPUs. This process neither imports that library nor
initialises a driver, and starts the child only if something suggests a GPU.
"""

import glob
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from hydra.errors import CompactHydraException

log = logging.getLogger(__name__)

CUDA_VARIABLE = "CUDA_VISIBLE_DEVICES"
VARIABLES = (CUDA_VARIABLE, "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
# the beginning of a list of GPUs; `NoDevFiles`, `-1` and an empty value name none
NAMED_GPU = re.compile(r"\s*(\d|GPU-|MIG-)")
# NVIDIA, NVIDIA under WSL, NVIDIA Jetson (two names), AMD
DEVICE_FILES = ("/dev/nvidia*", "/dev/dxg", "/dev/nvhost-*", "/dev/nvgpu*", "/dev/kfd")
DRIVER_PROGRAM = "nvidia-smi"
MIG_PREFIX = "MIG-"

# Imports the heavy library, maybe from a slow network disk, and loads the driver
COUNT_TIMEOUT_S = 180
COUNT_SCRIPT = """
import importlib, json, sys
module, _, name = sys.argv[1].rpartition(".")
print(json.dumps(getattr(importlib.import_module(module), name)()))
"""


@dataclass(frozen=True)
class Gpu:
    """One GPU, and the environment variable that selects it for a process by its name."""

    name: str  # an index, or a UUID such as GPU-8932f937 or MIG-3b4a
    variable: str = CUDA_VARIABLE


def list_visible_gpus(count_gpus: str) -> list[Gpu]:
    """Return the GPUs that this process may use and that jobs can use, in their order.

    Args:
        count_gpus: the dotted name of a function without arguments, which is called in a child
            process and returns three values:

            - the number of GPUs that it can use
            - the environment variables that may list them; the first that is set decides
            - why it can use no GPU, in one line, or None if there is no problem

    Raises CompactHydraException if the child process fails or does not answer.
    """
    if not _may_have_gpus():
        return []
    count, variables, problem = _count_in_child(count_gpus, {})
    if problem is not None:
        log.warning("no GPU can be used: %s", problem)
    listed = [os.environ[variable] for variable in variables if variable in os.environ]
    if not listed:
        return [Gpu(str(index), variables[0]) for index in range(count)]
    names = [name.strip() for name in listed[0].split(",")]
    if count and names[0].startswith(MIG_PREFIX):
        names = _select_usable(names, count_gpus)
    else:
        names = names[:count]  # a list ends at the first GPU that does not exist
    return [Gpu(name, variables[0]) for name in names]


def _may_have_gpus() -> bool:
    """Return whether a variable, a device file or a driver's program suggests a GPU."""
    if any(NAMED_GPU.match(os.environ.get(variable, "")) for variable in VARIABLES):
        return True
    if sys.platform == "darwin":
        return False
    has_device_files = sys.platform == "linux" and any(map(glob.glob, DEVICE_FILES))
    return has_device_files or shutil.which(DRIVER_PROGRAM) is not None


def _select_usable(names: Sequence[str], count_gpus: str) -> list[str]:
    """Return the MIG instances that a process can use; it sees one only, so each is tried alone."""
    distinct = list(dict.fromkeys(names))
    environments = [{CUDA_VARIABLE: name} for name in distinct]
    with ThreadPoolExecutor() as executor:
        answers = list(executor.map(partial(_count_in_child, count_gpus), environments))
    return [name for name, (count, _, _) in zip(distinct, answers, strict=True) if count]


def _count_in_child(
    count_gpus: str, environment: dict[str, str]
) -> tuple[int, list[str], str | None]:
    """Return what `count_gpus` returns in a child process. Raises CompactHydraException."""
    try:
        completed = subprocess.run(
            [sys.executable, "-P", "-c", COUNT_SCRIPT, count_gpus],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
            timeout=COUNT_TIMEOUT_S,
        )
        count, variables, problem = json.loads(completed.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        reason = f"did not answer within {COUNT_TIMEOUT_S} s"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        reason = f"ended with exit status {error.returncode}"
        if lines:
            reason += f" ({lines[-1]})"
    except (IndexError, ValueError):
        reason = "gave no answer"
    else:
        return count, variables, problem
    raise CompactHydraException(
        f"device: the process that counts the GPUs {reason}; allowed without a working GPU: cpu"
    )
