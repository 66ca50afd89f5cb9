"""The environment of a run: commit, versions and host; the check of torch and torchvision.

Free of torch: an installation is checked before anything imports it.
"""

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
TORCHVISION_MINOR_AHEAD = 15  # torchvision 0.29 is built for torch 2.14, as 0.15 was for 2.0
REMEDY = "install both from the same index (run `make setup`, with TORCH_INDEX= for another build)"
GIT_TIMEOUT_S = 5  # time limit for one command
LIBRARY_SUFFIXES = (".dylib", ".pyd")  # and any name that contains .so


class InstallationError(UserError):
    """The installation is incomplete, or its packages do not match."""


def check_installation() -> None:
    """Raise InstallationError unless torch and torchvision are complete and match."""
    check_torch_pair(_find_version("torch"), _find_version("torchvision"))
    problem = find_broken_library("torch") or find_broken_library("torchvision")
    if problem is not None:
        raise InstallationError(f"{problem}; {REMEDY}")


def check_code_folder(script: str | None) -> None:
    """Raise InstallationError if a script of one clone would run the package of another.

    A .venv that was copied with its clone imports the package from the original folder.

    Args:
        script: the file that Python was started with, or None
    """
    if script is None:
        return
    clone = Path(script).resolve().parents[1]
    own_package = clone / "src/degradation"
    package = Path(__file__).resolve().parent
    if own_package.is_dir() and not own_package.samefile(package):
        raise InstallationError(
            f"{script}: belongs to {clone}, but this Python runs the code in {package}; run"
            f" `make setup` in {clone}"
        )


def check_torch_pair(torch: str | None, torchvision: str | None) -> None:
    """Raise InstallationError unless two versions are matching releases of the same build.

    Args:
        torch, torchvision: versions such as `2.14.0+cpu`, or None for a package that is missing
    """
    if torch is None or torchvision is None:
        raise InstallationError(
            f"torch is {torch or 'missing'}, torchvision is {torchvision or 'missing'}; {REMEDY}"
        )
    torch_release, _, torch_build = torch.partition("+")
    torchvision_release, _, torchvision_build = torchvision.partition("+")
    torch_major, torch_minor = torch_release.split(".")[:2]
    expected_release = f"0.{int(torch_minor) + TORCHVISION_MINOR_AHEAD}"
    has_expected_release = torchvision_release.split(".")[:2] == expected_release.split(".")
    if torch_major != "2" or not has_expected_release:
        raise InstallationError(
            f"torchvision {torchvision} does not match torch {torch}, which needs torchvision"
            f" {expected_release}; {REMEDY}"
        )
    if torch_build != torchvision_build:
        raise InstallationError(
            f"torch {torch} and torchvision {torchvision} are different builds; {REMEDY}"
        )


def _find_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def find_broken_library(package: str) -> str | None:
    """Return which compiled library of a package is missing or truncated, or None.

    The package is not imported. Without this check, an installation that was interrupted or ran out
    of disk space would fail in the first job, after the sweep has started.
    """
    installed = distribution(package)
    for line in (installed.read_text("RECORD") or "").splitlines():
        name_and_hash, _, size = line.rpartition(",")
        name = name_and_hash.rpartition(",")[0]
        if ".so" not in name and not name.endswith(LIBRARY_SUFFIXES):
            continue
        path = Path(str(installed.locate_file(name)))
        if not path.is_file():
            return f"{package}: the library {path} is missing"
        if size and path.stat().st_size != int(size):
            return (
                f"{package}: the library {path} has {path.stat().st_size} bytes instead of {size}"
            )
    return None


@cache
def find_commit() -> str | None:
    """Return the commit of the running code, with `+` if tracked files differ from it.

    None if git fails or does not answer, or if the code is not in a clone.
    """
    clone = Path(__file__).resolve().parents[2]
    # Query this clone and no enclosing one, whatever variables a hook has set; write nothing, since
    # the source may be read-only.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment["GIT_CEILING_DIRECTORIES"] = str(clone.parent)
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    head = _run_git(clone, ["rev-parse", "HEAD"], environment)
    if head is None:
        return None
    changes = _run_git(clone, ["status", "--porcelain", "-uno"], environment)
    if changes is None:
        return None
    return f"{head}+" if changes else head


def _run_git(clone: Path, command: list[str], environment: dict[str, str]) -> str | None:
    """Return git's output without surrounding whitespace, or None if it fails or takes too long."""
    try:
        completed = subprocess.run(
            ["git", "-C", str(clone), *command],
            capture_output=True,
            text=True,
            check=True,
            timeout=GIT_TIMEOUT_S,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return completed.stdout.strip()


def describe_environment() -> dict[str, Any]:
    """Return the commit, the versions, the host and the process, for attempts.jsonl."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        versions[package] = _find_version(package)
    return {
        "commit": find_commit(),
        "versions": versions,
        "host": socket.gethostname(),
        "system": f"{platform.system()} {platform.machine()}",
        "process": os.getpid(),
    }
