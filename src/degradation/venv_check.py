"""Prints why .venv cannot run this folder's code, and nothing if it can; make rebuilds it then.

    .venv/bin/python -I src/degradation/venv_check.py

Runs as a file, since an environment whose Python starts may still lack this package, or import it
from another folder: that of a clone which was moved or copied together with its .venv.
"""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2]
VENV = FOLDER / ".venv"
INSTALLED = VENV / ".installed"  # written by make when the installation is complete
PACKAGES = {"degradation": "src/degradation", "analysis": "analysis"}
LIBRARIES = ("torch", "torchvision")
OLDEST, NEWEST = (3, 11), (3, 13)
# The first lines of an environment's program: `#!PYTHON`, or, if the path is long or has spaces,
# `#!/bin/sh` and `'''exec' "PYTHON" "$0" "$@"`
INTERPRETER = re.compile(r"""#!(?:/bin/sh\n'''exec' "?)?(/.+/bin/python[\w.]*)"?(?:\n| "\$0")""")


def find_fault() -> str | None:
    """Return what is wrong with the environment that runs this, or None."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return f"it has Python {sys.version_info.major}.{sys.version_info.minor}"
    return _find_pip_fault() or _find_foreign_code() or _find_incomplete_package()


def _find_pip_fault() -> str | None:
    if find_spec("pip") is None:
        return "it has no pip"
    if not INSTALLED.exists():  # pip is needed now; importing it takes too long to do every time
        command = [sys.executable, "-I", "-m", "pip", "--version"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "its pip does not start"
    return None


def _find_foreign_code() -> str | None:
    """Return whose code or programs the environment has, if they are not this folder's."""
    for package, place in PACKAGES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        own = FOLDER / place / "__init__.py"
        if origin.exists() and not origin.samefile(own):
            return f"it runs the code in {origin.parent}"
    program = VENV / "bin/pip"
    if program.is_file():
        first_lines = program.read_bytes()[:1000].decode(errors="replace")
        match = INTERPRETER.match(first_lines)
        if match is not None and not _is_own(Path(match[1])):
            return f"its programs belong to {Path(match[1]).parents[1]}"
    return None


def _is_own(interpreter: Path) -> bool:
    folder = interpreter.parent
    return folder.is_dir() and folder.samefile(VENV / "bin")


def _find_incomplete_package() -> str | None:
    """Return what is missing of an installation that was complete."""
    if not INSTALLED.exists():
        return None
    for package in (*PACKAGES, *LIBRARIES):
        if find_spec(package) is None:
            return f"it lacks {package}"
    from degradation.environment import find_broken_library

    problems = (find_broken_library(library) for library in LIBRARIES)
    return next((problem for problem in problems if problem is not None), None)


if __name__ == "__main__":
    print(find_fault() or "", end="")
