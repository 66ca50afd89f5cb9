"""The GPUs that jobs can use, counted by the jobs' own library in a child process.

Environment variables alone are unreliable: they may name GPUs that this machine lacks, or be set by
habit or by a scheduler on a machine without GPUs. This process neither imports that library nor
initialises a driver, and starts the child only if something suggests a GPU.
"""

import glob
import json
import logging
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from hydra.errors import CompactHydraException

log = logging.getLogger(__name__)

CUDA_VARIABLE = "CUDA_VISIBLE_DEVICES"
VARIABLES = (CUDA_VARIABLE, "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
# the beginning of a list of GPUs; `NoDevFiles`, `-1` and an empty value name none
NAMED_GPU = re.compile(r"\s*(\d|GPU-|MIG-)")
# NVIDIA, NVIDIA under WSL, NVIDIA Jetson (two names), AMD
DEVICE_FILES = ("/dev/nvidia*", "/dev/dxg", "/dev/nvhost-*", "/dev/nvgpu*", "/dev/kfd")
DRIVER_PROGRAM = "nvidia-smi"
EXCLUSIVE = "Exclusive"  # how the driver's program names such a mode: Exclusive_Process
MIG_PREFIX = "MIG-"

# Imports the heavy library, maybe from a slow network disk, and loads the driver
COUNT_TIMEOUT_S = 180
COUNT_SCRIPT = """
import importlib, json, pickle, sys

def find(dotted_name):
    module, _, name = dotted_name.rpartition(".")
    return getattr(importlib.import_module(module), name)

counted, fitting, problem = find(sys.argv[1])(), None, None
if sys.argv[2:]:
    try:
        fitting = find(sys.argv[2])(pickle.load(sys.stdin.buffer))
    except Exception as error:
        problem = f"{type(error).__name__}: {error}".splitlines()[0]
print(json.dumps([*counted, fitting, problem]))
"""


@dataclass(frozen=True)
class Gpu:
    """One GPU, and the environment variable that selects it for a process by its name."""

    name: str  # an index, or a UUID such as GPU-8932f937 or MIG-3b4a
    variable: str = CUDA_VARIABLE
    # how many of the jobs fit into its memory, or None if that is not known
    fitting: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class _Answer:
    """What the child process has found."""

    count: int
    variables: list[str]
    problem: str | None  # why it can use no GPU
    fitting: int | None
    fitting_problem: str | None  # why it does not know `fitting`


def list_visible_gpus(
    count_gpus: str, count_fitting: str | None = None, jobs: Sequence[Any] = ()
) -> list[Gpu]:
    """Return the GPUs that this process may use and that jobs can use, in their order.

    Args:
        count_gpus: the dotted name of a function without arguments, which is called in a child
            process and returns three values:

            - the number of GPUs that it can use
            - the environment variables that may list them; the first that is set decides
            - why it can use no GPU, in one line, or None if there is no problem
        count_fitting: the dotted name of a function that gets `jobs` in the same child process, and
            returns how many of them fit into the memory of one GPU, or None if it does not know
        jobs: what describes each job's need of memory; it is pickled

    Raises CompactHydraException if the child process fails or does not answer.
    """
    if not _may_have_gpus():
        return []
    answer = _ask_child(count_gpus, {}, count_fitting, jobs)
    count, variables = answer.count, answer.variables
    if answer.problem is not None:
        log.warning("no GPU can be used: %s", answer.problem)
    if count and answer.fitting_problem is not None:
        log.warning("the memory of the runs cannot be estimated (%s)", answer.fitting_problem)
    listed = [os.environ[variable] for variable in variables if variable in os.environ]
    if not listed:
        return [Gpu(str(index), variables[0], answer.fitting) for index in range(count)]
    names = [name.strip() for name in listed[0].split(",")]
    if count and names[0].startswith(MIG_PREFIX):
        return _list_mig_instances(names, count_gpus, count_fitting, jobs)
    # a list ends at the first GPU that does not exist
    return [Gpu(name, variables[0], answer.fitting) for name in names[:count]]


def _may_have_gpus() -> bool:
    """Return whether a variable, a device file or a driver's program suggests a GPU."""
    if any(NAMED_GPU.match(os.environ.get(variable, "")) for variable in VARIABLES):
        return True
    if sys.platform == "darwin":
        return False
    has_device_files = sys.platform == "linux" and any(map(glob.glob, DEVICE_FILES))
    return has_device_files or shutil.which(DRIVER_PROGRAM) is not None


def has_exclusive_gpu() -> bool:
    """Return whether the driver lends a GPU to one process at a time, as some clusters set it."""
    command = [DRIVER_PROGRAM, "--query-gpu=compute_mode", "--format=csv,noheader"]
    try:
        completed = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=COUNT_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return EXCLUSIVE in completed.stdout


def _list_mig_instances(
    names: Sequence[str], count_gpus: str, count_fitting: str | None, jobs: Sequence[Any]
) -> list[Gpu]:
    """Return the MIG instances that a process can use, each with the jobs that fit into it.

    A process sees one of them only, so each is tried alone.
    """

    def ask(name: str) -> _Answer:
        return _ask_child(count_gpus, {CUDA_VARIABLE: name}, count_fitting, jobs)

    distinct = list(dict.fromkeys(names))
    with ThreadPoolExecutor() as executor:
        answers = list(executor.map(ask, distinct))
    return [
        Gpu(name, fitting=answer.fitting)
        for name, answer in zip(distinct, answers, strict=True)
        if answer.count
    ]


def _ask_child(
    count_gpus: str,
    environment: dict[str, str],
    count_fitting: str | None = None,
    jobs: Sequence[Any] = (),
) -> _Answer:
    """Return what both functions return in a child process. Raises CompactHydraException.

    Without jobs, only the GPUs are counted.
    """
    functions = [count_gpus, count_fitting] if count_fitting and jobs else [count_gpus]
    try:
        completed = subprocess.run(
            [sys.executable, "-P", "-c", COUNT_SCRIPT, *functions],
            env=os.environ | environment,
            input=pickle.dumps(list(jobs)),
            capture_output=True,
            check=True,
            timeout=COUNT_TIMEOUT_S,
        )
        return _Answer(*json.loads(completed.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        reason = f"did not answer within {COUNT_TIMEOUT_S} s"
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines()
        reason = f"ended with exit status {error.returncode}"
        if lines:
            reason += f" ({lines[-1]})"
    except (IndexError, TypeError, ValueError):
        reason = "gave no answer"
    raise CompactHydraException(
        f"device: the process that counts the GPUs {reason}; allowed without a working GPU: cpu"
    )
