"""Sweeps start whatever TMPDIR is: long, with spaces, missing, or not a folder."""

import os
import signal
import subprocess
import sys

import pytest
from hydra.errors import CompactHydraException

from degradation.socket_paths import is_short_enough
from hydra_plugins.pool_launcher import Pool, Slot
from hydra_plugins.sweep_launcher import Job

SWEEP = """
import multiprocessing.util, os, tempfile
from pathlib import Path
from degradation.socket_paths import shorten_socket_paths
from hydra_plugins.pool_launcher import Pool, Slot
from hydra_plugins.sweep_launcher import Job

if __name__ == "__main__":
    shorten_socket_paths()
    folders = [tempfile.gettempdir, multiprocessing.util.get_temp_dir]
    jobs = [Job(str(index), folder, 1.0, Path(os.devnull)) for index, folder in enumerate(folders)]
    for result in Pool([Slot("one")]).run(jobs):
        print(result.value)
"""

FOLDERS = {
    "long": "x" * 90,
    "long_in_bytes": "é" * 45,
    "spaces": "a folder",
    "missing": "missing/folder",
    "file": "file",
}


@pytest.fixture
def run_sweep(tmp_path):
    """Return a function that runs two jobs under a TMPDIR, and returns their temporary folders."""
    script = tmp_path / "script.py"
    script.write_text(SWEEP)

    def run(folder):
        completed = subprocess.run(
            [sys.executable, str(script)],
            env=os.environ | {"TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr
        return completed.stdout.splitlines()

    return run


@pytest.mark.fast_cases(1)
@pytest.mark.skipif(sys.platform == "darwin", reason="no fork server on macOS")
@pytest.mark.parametrize("kind", FOLDERS)
def test_sweep_starts_under_any_temporary_folder(tmp_path, run_sweep, kind):
    folder = tmp_path / FOLDERS[kind]
    if kind == "file":
        folder.touch()
    elif kind != "missing":
        folder.mkdir()
    temporary_files, sockets = run_sweep(folder)
    if folder.is_dir():
        assert temporary_files == str(folder)
    # pytest's own folder may be so long that only a short one holds sockets
    if is_short_enough(temporary_files):
        assert os.path.dirname(sockets) == temporary_files
    assert is_short_enough(os.path.dirname(sockets))
    assert not os.path.exists(sockets)  # removed at the end


@pytest.mark.skipif(sys.platform == "darwin", reason="no fork server on macOS")
@pytest.mark.parametrize("problem", ["AF_UNIX path too long", "No usable temporary directory"])
def test_socket_that_cannot_be_created_names_tmpdir(tmp_path, monkeypatch, problem):
    def fail():
        raise OSError(problem)

    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", fail)
    handlers = signal_handlers()
    with pytest.raises(
        CompactHydraException, match=rf"^TMPDIR: .*{problem}.*allowed: a folder with a short"
    ):
        Pool([Slot("one")]).run([Job("one", int, 1.0, tmp_path / "log")])
    assert signal_handlers() == handlers


def signal_handlers():
    return [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)]
