"""What a run ran on: versions, commit, host. And the check that torch and torchvision belong together."""

import os
import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

from degradation.errors import UserError

PACKAGES = ("torch", "torchvision", "hydra-core", "wandb", "numpy", "scikit-learn")
TORCHVISION_MINOR_AHEAD = 15  # torchvision 0.29 is built for torch 2.14, 0.15 was for 2.0
MEND = "install both from one index (`make setup`, with TORCH_INDEX= for another build)"
GIT_SECONDS = 5  # for one answer


class InstallationError(UserError):
    """The installation cannot give the numbers that were asked for."""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_torch_pair(torch: str | None = None, torchvision: str | None = None) -> None:
    """Raise InstallationError unless torch and torchvision are whole, of matching releases and one build."""
    given = torch or torchvision
    torch = torch or _version("torch")
    torchvision = torchvision or _version("torchvision")
    if torch is None or torchvision is None:
        raise InstallationError(
            f"torch is {torch or 'missing'}, torchvision is {torchvision or 'missing'}: {MEND}"
        )
    torch_release, _, torch_build = torch.partition("+")
    torchvision_release, _, torchvision_build = torchvision.partition("+")
    expected = int(torch_release.split(".")[1]) + TORCHVISION_MINOR_AHEAD
    if torch_release.split(".")[0] != "2" or torchvision_release.split(".")[:2] != [
        "0",
        str(expected),
    ]:
        raise InstallationError(
            f"torchvision {torchvision} does not belong to torch {torch} (0.{expected} does): {MEND}"
        )
    if torch_build != torchvision_build:
        raise InstallationError(
            f"torch {torch} and torchvision {torchvision} are different builds: {MEND}"
        )
    if not given and (problem := missing_library("torch") or missing_library("torchvision")):
        raise InstallationError(f"{problem}: {MEND}")


@cache
def missing_library(package: str) -> str | None:
    """Which of a package's compiled libraries is not as it was installed; it is asked without an import.

    An installation that was cut off or filled the disk would fail in the first job otherwise, after the sweep's start.
    """
    installed = distribution(package)
    for line in (installed.read_text("RECORD") or "").splitlines():
        name, _, size = line.rpartition(",")
        name = name.rpartition(",")[0]
        if ".so" not in name and not name.endswith((".dylib", ".pyd")):
            continue
        path = Path(str(installed.locate_file(name)))
        if not path.is_file():
            return f"{package} is installed without its library {path}"
        if size and path.stat().st_size != int(size):
            return f"{package}'s library {path} is not whole"
    return None


@cache
def commit() -> str | None:
    """The commit of the code that runs, with `+` when the tree differs from it; None where git does not tell."""
    here = Path(__file__).resolve().parents[2]
    git = ["git", "-C", str(here)]
    # this clone and none around it, whatever a hook has set; nothing is written, the tree may be read-only
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_CEILING_DIRECTORIES": str(here.parent), "GIT_OPTIONAL_LOCKS": "0"}
    answers = []
    try:
        for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"]):
            answer = subprocess.run(
                [*git, *words],
                capture_output=True,
                text=True,
                check=True,
                timeout=GIT_SECONDS,
                env=environment,
            )
            answers.append(answer.stdout.strip())
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    head, changes = answers
    return head + ("+" if changes else "")


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
        "versions": {
            "python": platform.python_version(),
            **{package: _version(package) for package in PACKAGES},
        },
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.machine()}",
        "process": os.getpid(),
        "boot": boot_id(),
    }
