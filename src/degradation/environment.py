"""What a run ran on: versions, commit, host. And the check that torch and torchvision belong together."""

import os
import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "hydra-core", "wandb", "numpy", "scikit-learn")
TORCHVISION_MINOR_AHEAD = 15  # torchvision 0.29 is built for torch 2.14, 0.15 was for 2.0


class InstallationError(Exception):
    """The installation cannot give the numbers that were asked for."""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_torch_pair(torch: str | None = None, torchvision: str | None = None) -> None:
    """Raise InstallationError unless torch and torchvision are installed, of matching releases and one build."""
    torch = torch or _version("torch")
    torchvision = torchvision or _version("torchvision")
    mend = "install both from one index (`make setup`, with TORCH_INDEX= for another build)"
    if torch is None or torchvision is None:
        raise InstallationError(f"torch is {torch or 'missing'}, torchvision is {torchvision or 'missing'}: {mend}")
    torch_release, _, torch_build = torch.partition("+")
    torchvision_release, _, torchvision_build = torchvision.partition("+")
    expected = int(torch_release.split(".")[1]) + TORCHVISION_MINOR_AHEAD
    if torch_release.split(".")[0] != "2" or torchvision_release.split(".")[:2] != ["0", str(expected)]:
        raise InstallationError(
            f"torchvision {torchvision} does not belong to torch {torch} (0.{expected} does): {mend}"
        )
    if torch_build != torchvision_build:
        raise InstallationError(f"torch {torch} and torchvision {torchvision} are different builds: {mend}")


@cache
def commit() -> str | None:
    """The commit of the code that runs, with `+` when the tree differs from it; None outside a clone."""
    here = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(here)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        dirty = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def boot_id() -> str | None:
    """Tells two boots of one host apart, where the system says so (Linux)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def describe() -> dict[str, Any]:
    """Commit, versions, host and process, for the record's attempts."""
    return {
        "commit": commit(),
        "versions": {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}},
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.machine()}",
        "process": os.getpid(),
        "boot": boot_id(),
    }
