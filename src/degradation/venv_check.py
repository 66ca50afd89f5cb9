"""Prints why .venv cannot run this folder's code, and nothing if it can; make rebuilds it then.

    .venv/bin/python -I src/degradation/venv_check.py .venv

An error of the check itself, such as a syntax error in a file that is being edited, does not count
as a fault of .venv.
Runs as a file, since an environment whose Python starts may still lack this package, or import it
from another folder: that of a clone which was moved or copied together with its .venv.
"""

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2]
NAME = ".venv"
INSTALLED = ".installed"  # written by make when the installation is complete
PACKAGES = {"degradation": "src/degradation", "analysis": "analysis"}
LIBRARIES = ("torch", "torchvision")
OLDEST, NEWEST = (3, 11), (3, 13)
# The first lines of an environment's program: `#!PYTHON`, or, if the path is long or has spaces,
# `#!/bin/sh` and `'''exec' "PYTHON" "$0" "$@"`
INTERPRETER = re.compile(r"""#!(?:/bin/sh\n'''exec' "?)?(/.+/bin/python[\w.]*)"?(?:\n| "\$0")""")


def find_fault(venv: Path) -> str | None:
    """Return what is wrong with the environment that runs this, or None.

    Args:
        venv: its folder, `.venv`, or the name that it has while another is built
    """
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return f"it has Python {sys.version_info.major}.{sys.version_info.minor}"
    return _find_pip_fault(venv) or _find_foreign_code(venv) or _find_incomplete_package(venv)


def _find_pip_fault(venv: Path) -> str | None:
    if find_spec("pip") is None:
        return "it has no pip"
    # pip is needed before the installation; importing it takes too long to do every time
    if not (venv / INSTALLED).exists():
        command = [sys.executable, "-I", "-m", "pip", "--version"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "its pip does not start"
    return None


def _find_foreign_code(venv: Path) -> str | None:
    """Return whose code or programs the environment has, if they are not this folder's."""
    for package, place in PACKAGES.items():
        spec = find_spec(package)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        own = FOLDER / place / "__init__.py"
        if origin.exists() and not origin.samefile(own):
            return f"it runs the code in {origin.parent}"
    program = venv / "bin/pip"
    if program.is_file():
        first_lines = program.read_bytes()[:1000].decode(errors="replace")
        match = INTERPRETER.match(first_lines)
        if match is not None and not _is_own(Path(match[1]), venv):
            return f"its programs belong to {Path(match[1]).parents[1]}"
    return None


def _is_own(interpreter: Path, venv: Path) -> bool:
    folder = interpreter.parent
    if folder.is_dir() and folder.samefile(venv / "bin"):
        return True
    # An environment that was moved aside keeps the name that it was made with
    clone = folder.parents[1]
    return folder.parent.name == NAME and clone.is_dir() and clone.samefile(FOLDER)


def _find_incomplete_package(venv: Path) -> str | None:
    """Return what is missing of an installation that was complete."""
    if not (venv / INSTALLED).exists():
        return None
    for package in (*PACKAGES, *LIBRARIES):
        if find_spec(package) is None:
            return f"it lacks {package}"
    from degradation.environment import find_broken_library

    for library in LIBRARIES:
        try:
            problem = find_broken_library(library)
        except PackageNotFoundError:
            return f"it lacks the metadata of {library}"
        if problem is not None:
            return problem
    return None


def main(venv: Path) -> None:
    """Print the fault. An error of the check is printed apart, in one line, with exit status 1."""
    try:
        fault = find_fault(venv)
    except Exception as error:
        sys.exit(f"{venv}: the check failed and is skipped: {type(error).__name__}: {error}")
    print(fault or "", end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
