"""A folder in which `make` runs this clone's commands, and writes to nothing of the clone's own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("src", "analysis", "benchmarks", "experiments", "conf")
SETTINGS = ("Makefile", "pyproject.toml", "constraints.txt")


def link_clone(folder: Path) -> Path:
    """Link the sources into a folder whose .venv runs the Python of the tests; return the folder.

    Records and reports are written to the folder.
    """
    for name in (*SOURCES, *SETTINGS):
        (folder / name).symlink_to(ROOT / name)
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv/.installed").touch()
    return folder


def make(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run make, unaffected by the variables of a make that runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *words],
        cwd=cwd,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )
