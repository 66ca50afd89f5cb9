"""The results of earlier checks on captured steps, in the user's cache folder.

There, and not under a record root: a result belongs to a machine, while records move between
machines. One small file holds one result, and its name hashes the machine, the versions, the code
and the check. So a result of another version is never read, and processes that store results at
the same time do not overwrite each other's.
"""

import contextlib
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch

from degradation.checksums import CorruptData, decode_document, encode_document
from degradation.data.cache_folders import find_user_cache, lock_if_possible
from degradation.durable_io import read_file, write_atomically
from degradation.graph_check.check import Check
from degradation.numerical_code import combine_hashes, hash_numerical_code
from degradation.source_hash import hash_source, hash_text
from degradation.training.device import choose_heuristic
from degradation.training.machine import name_device

DRIVER_FILE = Path("/proc/driver/nvidia/version")  # Linux
LOCK_TIMEOUT_S = 200  # longer than a check takes whose process neither answers nor ends
FAULT = "fault"
ResultKey = dict[str, Any]  # what a result depends on, as JSON


def build_key(check: Check, device: torch.device) -> ResultKey:
    """Return what the result of a check depends on: machine, versions, code and configuration."""
    config = check.config
    hashes = hash_numerical_code(
        config.model.block,
        config.data.name,
        config.optim.name,
        config.schedule.shape,
        config.model.network,
    )
    trained = {
        section: asdict(getattr(config, section)) for section in ("data", "model", "precision")
    }
    trained["optim"] = asdict(config.optim)
    return {
        "machine": describe_gpu(device),
        "code": hash_text(combine_hashes(hashes) + _hash_check()),
        "trained": trained,
        "images": [check.channels, check.side, check.classes],
        "threads": config.threads,
    }


def describe_gpu(device: torch.device) -> dict[str, str]:
    """Return the GPU, the versions of its driver and its libraries, and cuDNN's heuristic.

    The heuristic is chosen here too: `make check-gpu` describes the GPU before it trains.
    """
    cuda = device.type == "cuda"
    return {
        "gpu": name_device(device),
        "capability": str(torch.cuda.get_device_capability(device)) if cuda else "",
        "driver": _read_driver_version(),
        "torch": torch.__version__,
        "cuda": str(torch.version.cuda or torch.version.hip),
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "heuristic": choose_heuristic() if cuda else "",
    }


def _read_driver_version() -> str:
    """Return what the driver says about its version, or nothing where it does not."""
    try:
        return DRIVER_FILE.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    except OSError:
        return ""


@cache
def _hash_check() -> str:
    """Return a hash of this package, so that a change to the check repeats it."""
    paths = sorted(Path(__file__).parent.glob("*.py"))
    return hash_text("".join(hash_source(path.read_text(encoding="utf-8")) for path in paths))


def find_result_file(key: ResultKey) -> Path | None:
    """Return the file of a result, or None if the user has no home folder."""
    user_cache = find_user_cache()
    if user_cache is None:
        return None
    name = f"cuda-graphs-{hash_text(json.dumps(key, sort_keys=True))}.json"
    return user_cache / name


def locked(path: Path | None) -> AbstractContextManager[bool | None]:
    """Hold the lock of a result, so that processes that start together check once.

    Where there is no lock, for example since the folder cannot be written to, each checks.
    """
    if path is None:
        return nullcontext()
    return lock_if_possible(path, LOCK_TIMEOUT_S)


def read_result(path: Path | None, key: ResultKey) -> dict[str, str | None] | None:
    """Return {"fault": why captured steps are not used, or None}; None if there is no result."""
    if path is None:
        return None
    try:
        document = decode_document(read_file(path))
    except (OSError, CorruptData):
        return None
    fault = document.get(FAULT)
    if document.get("key") != key or not isinstance(fault, str | None):
        return None
    return {FAULT: fault}


def write_result(path: Path | None, key: ResultKey, fault: str | None) -> None:
    """Store a result; where that is not possible, the next process checks again."""
    if path is not None:
        with contextlib.suppress(OSError):
            write_atomically(path, encode_document({"key": key, FAULT: fault}))
