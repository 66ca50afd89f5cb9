"""The Chromium of this machine, for tests of the page in a real browser."""

import os
import shlex
import shutil
import subprocess
import sys

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
COMMAND = ["apt-get", "install", "-y", "chromium"]
# It works as root and in a container, and asks the network for nothing of its own.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class ChromiumError(Exception):
    """There is no Chromium, and it cannot be installed. The message is one line."""


def find_chromium() -> str:
    """Return the path of the browser; it is installed first if this process is root on Debian.

    Raises ChromiumError, which says how to install it.
    """
    path = _find_program()
    if path is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        path = _find_program()
    if path is None:
        raise ChromiumError(
            f"{PROGRAMS[0]}: not found; on Debian, run as root: {shlex.join(COMMAND)}"
        )
    return path


def _find_program() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


def _install() -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["-q", "--no-install-recommends"]
    for command in (["apt-get", "update", "-q"], [*COMMAND, *quiet]):
        subprocess.run(command, check=False, env=environment, stdout=sys.stderr)
