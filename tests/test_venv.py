"""`make` finds a .venv that cannot run its folder's code, says so in one line and repairs it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from pip._vendor.distlib.scripts import ScriptMaker

from degradation import venv_check
from tests.support.clones import ROOT, SETTINGS, make

SITE_PACKAGES = Path(sysconfig.get_paths()["purelib"])
# Stands in for `python3`: its environments have a pip that installs without a network.
PYTHON = f"""#!/bin/sh
if [ "$1 $2" != "-m venv" ]; then exec "{sys.executable}" "$@"; fi
"{sys.executable}" -m venv --without-pip "$3" || exit 1
packages=$("$3/bin/python" -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")
cp -r "{{pip}}" "$packages/pip"
printf '#!%s\\n' "$PWD/$3/bin/python" > "$3/bin/pip"
"""
# `pip install -e .` makes this folder's code and the packages of the tests importable.
PIP = f"""
import pathlib, sys, sysconfig
packages = pathlib.Path(sysconfig.get_paths()["purelib"])
here = pathlib.Path.cwd()
if sys.argv[1] == "install" and (here / "offline").exists():
    sys.exit("no network")
if sys.argv[1] == "install" and "-e" in sys.argv:
    (packages / "clone.pth").write_text(f"{{here / 'src'}}\\n{{here}}\\n{SITE_PACKAGES}\\n")
with open(here / "pip-calls", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
"""


@pytest.fixture
def python(tmp_path):
    pip = tmp_path / "pip"
    pip.mkdir()
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(PIP)
    path = tmp_path / "python3"
    path.write_text(PYTHON.format(pip=pip))
    path.chmod(0o755)
    return path


def copy_sources(folder):
    folder.mkdir()
    for name in SETTINGS:
        shutil.copy(ROOT / name, folder)
    skipped = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("src", "analysis", "benchmarks"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    return folder


def set_up(folder, python, *words):
    completed = make("setup", f"PYTHON={python}", *words, cwd=folder)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout.splitlines()


@pytest.fixture
def clone(tmp_path):
    return copy_sources(tmp_path / "clone")


def make_complete(folder):
    """Make .venv a program that runs the Python of the tests with the code of the folder."""
    runner = (
        "import runpy, sys\n"
        f"sys.path[:0] = [{str(folder / 'src')!r}, {str(folder)!r}]\n"
        "del sys.argv[0]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    (folder / "runner.py").write_text(runner)
    program = folder / ".venv/bin/python"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"""#!/bin/sh
if [ "$1" = -I ]; then shift; fi
if [ "$1" = -c ]; then exit 0; fi
exec "{sys.executable}" -I "{folder / "runner.py"}" "$@"
"""
    )
    program.chmod(0o755)
    (folder / ".venv/.installed").touch()


def find_code(folder):
    command = [".venv/bin/python", "-I", "-c", "import degradation; print(degradation.__file__)"]
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return Path(completed.stdout.strip())


def assert_rebuilt(folder, python, fault, targets=("status", "check")):
    """Expect one line about the fault, an environment of this folder, and then no more to do."""
    for target in targets:
        planned = make("-n", target, f"PYTHON={python}", cwd=folder).stdout
        assert f".venv: {fault}; it is rebuilt" in planned
    lines = set_up(folder, python)
    assert [line for line in lines if "it is rebuilt" in line] == [f".venv: {fault}; it is rebuilt"]
    assert find_code(folder) == folder / "src/degradation/__init__.py"
    assert set_up(folder, python) == ["make: Nothing to be done for 'setup'."]


def test_first_setup_installs_without_a_word_about_faults(clone, python):
    (line,) = set_up(clone, python)
    assert line.startswith("installing into .venv; ")
    assert set_up(clone, python) == ["make: Nothing to be done for 'setup'."]
    assert find_code(clone) == clone / "src/degradation/__init__.py"


def make_without_pip(venv):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)


def make_with_half_a_pip(venv):
    make_without_pip(venv)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "pip").mkdir()
    (packages / "pip/__init__.py").touch()


def make_without_interpreter(venv):
    (venv / "bin").mkdir(parents=True)


def make_with_a_missing_interpreter(venv):
    make_without_pip(venv)
    for path in venv.glob("bin/python*"):
        path.unlink()
        path.symlink_to("/nonexistent/python3")


def make_a_dangling_link(venv):
    venv.symlink_to("/nonexistent/.venv")


@pytest.mark.parametrize(
    ("make_half", "fault"),
    [
        (make_without_pip, "it has no pip"),
        pytest.param(make_with_half_a_pip, "its pip does not start", marks=pytest.mark.slow),
    ],
)
def test_half_made_environment_is_rebuilt(clone, python, make_half, fault):
    make_half(clone / ".venv")
    assert_rebuilt(clone, python, fault)


NOT_STARTING = [make_a_dangling_link, make_without_interpreter, make_with_a_missing_interpreter]


@pytest.mark.parametrize("make_faulty", NOT_STARTING[:2])
def test_only_setup_rebuilds_what_does_not_start(clone, make_faulty):
    """It may be another shell's: jobs can run from it."""
    make_faulty(clone / ".venv")
    before = sorted(clone.rglob("*"))
    for target in ("status", "reproduce"):
        completed = make(target, cwd=clone)
        assert completed.returncode == 2
        assert completed.stdout == ""
        (line,) = completed.stderr.splitlines()
        assert "*** .venv: its Python does not start; load the module that provides it" in line
        assert "or run `make setup`, which rebuilds .venv" in line
    assert sorted(clone.rglob("*")) == before
    planned = make("-n", "setup", cwd=clone).stdout
    assert ".venv: its Python does not start; it is rebuilt" in planned


@pytest.mark.slow
@pytest.mark.parametrize("make_faulty", NOT_STARTING)
def test_setup_rebuilds_what_does_not_start(clone, python, make_faulty):
    make_faulty(clone / ".venv")
    assert_rebuilt(clone, python, "its Python does not start", targets=["setup"])


def test_message_names_the_python_that_does_not_start(clone):
    make_without_interpreter(clone / ".venv")
    (clone / ".venv/pyvenv.cfg").write_text("home = /apps/python/3.11/bin\nversion = 3.11.4\n")
    completed = make("status", cwd=clone)
    assert "load the module that provides /apps/python/3.11/bin, or run" in completed.stderr


def break_environment_module(clone):
    (clone / "src/degradation/environment.py").write_text("def find_broken_library(:")


def break_check(clone):
    with (clone / "src/degradation/venv_check.py").open("a") as file:
        file.write("def (")


def break_record_of_torch(clone):
    module = "def find_broken_library(package): return int('sha256')"
    (clone / "src/degradation/environment.py").write_text(module)


@pytest.mark.parametrize(
    ("break_file", "message"),
    [
        (break_environment_module, "SyntaxError: invalid syntax (environment.py, line 1)"),
        (break_record_of_torch, "ValueError: invalid literal for int() with base 10: 'sha256'"),
        (break_check, None),
    ],
)
def test_error_of_the_check_is_printed_and_rebuilds_nothing(clone, break_file, message):
    make_complete(clone)
    break_file(clone)
    completed = make("-n", "status", cwd=clone)
    assert completed.returncode == 0
    assert completed.stdout.split()[:2] == [".venv/bin/python", "experiments/status.py"]
    if message is None:
        assert completed.stderr.splitlines()[-1].startswith("SyntaxError: ")
    else:
        assert completed.stderr == f".venv: the check failed and is skipped: {message}\n"


def test_copied_clone_never_runs_the_other_folders_code(clone, python, tmp_path):
    set_up(clone, python)
    copy = tmp_path / "copy"
    shutil.copytree(clone, copy, symlinks=True)
    assert_rebuilt(copy, python, f"it runs the code in {clone}/src/degradation")
    assert find_code(clone) == clone / "src/degradation/__init__.py"


def test_script_of_a_copied_clone_is_refused_without_make(tmp_path):
    copy = copy_sources(tmp_path / "copy")
    shutil.copytree(
        ROOT / "experiments", copy / "experiments", ignore=shutil.ignore_patterns("ledger")
    )
    command = [sys.executable, str(copy / "experiments/status.py"), "seed=0"]
    completed = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert completed.returncode == 1
    assert completed.stderr.count("\n") == 1
    assert f"belongs to {copy}, but this Python runs the code in " in completed.stderr


@pytest.mark.slow
def test_environment_of_another_folder_is_not_touched(clone, python, tmp_path):
    set_up(clone, python)
    other = copy_sources(tmp_path / "other")
    (other / ".venv").symlink_to(clone / ".venv")
    assert_rebuilt(other, python, f"it runs the code in {clone}/src/degradation")
    assert set_up(clone, python) == ["make: Nothing to be done for 'setup'."]


@pytest.mark.slow
def test_failed_rebuild_loses_no_environment(clone, python):
    set_up(clone, python)
    interpreter = clone / ".venv/bin/python"
    interpreter.rename(clone / "not loaded")
    (clone / "offline").touch()
    for _ in range(2):
        completed = make("setup", f"PYTHON={python}", cwd=clone)
        assert completed.returncode == 2
        assert "no network" in completed.stderr
        assert (clone / ".venv-old/.installed").exists()
        assert not (clone / ".venv/.installed").exists()
    planned = make("-n", "setup", cwd=clone).stdout
    assert "pip install" in planned
    (clone / "not loaded").rename(clone / ".venv-old/bin/python")
    (line,) = set_up(clone, python)
    assert line == ".venv: it is incomplete; .venv-old works and is moved back"
    assert not (clone / ".venv-old").exists()
    assert find_code(clone) == clone / "src/degradation/__init__.py"
    assert set_up(clone, python) == ["make: Nothing to be done for 'setup'."]


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("state", ["missing", "dangling", "incomplete"])
def test_old_environment_that_works_is_moved_back(clone, state):
    make_complete(clone)
    (clone / ".venv").rename(clone / ".venv-old")
    if state == "dangling":
        make_a_dangling_link(clone / ".venv")
    if state == "incomplete":
        make_complete(clone)
        (clone / ".venv/.installed").unlink()
    planned = make("-n", "status", cwd=clone).stdout
    assert "; .venv-old works and is moved back" in planned
    assert "pip install" not in planned
    (line,) = make("setup", cwd=clone).stdout.splitlines()
    assert line.endswith("; .venv-old works and is moved back")
    assert (clone / ".venv/.installed").exists()
    assert not (clone / ".venv-old").exists()


def test_old_environment_is_brought_up_to_date_or_not_used(clone):
    make_complete(clone)
    old = (clone / ".venv").rename(clone / ".venv-old")
    os.utime(old / ".installed", (1e9, 1e9))  # older than the pins
    planned = make("-n", "status", cwd=clone).stdout
    assert planned.index("mv .venv-old .venv") < planned.index("pip install")
    (old / ".installed").unlink()
    assert "moved back" not in make("-n", "status", cwd=clone).stdout


def test_complete_environment_is_kept_rather_than_an_older_one(clone):
    make_complete(clone)
    (clone / ".venv").rename(clone / ".venv-old")
    make_complete(clone)
    completed = make("-n", "status", cwd=clone)
    assert completed.stdout.split()[:2] == [".venv/bin/python", "experiments/status.py"]


def test_another_torch_is_installed_after_the_old_is_removed(clone):
    make_complete(clone)
    for flags in (["-j4"], ["-j"], []):
        words = [*flags, "setup", "TORCH_INDEX=https://example.org/cpu"]
        planned = make("-n", *words, cwd=clone).stdout
        removed = planned.index("pip uninstall --quiet --yes torch torchvision")
        installed = planned.index("pip install --quiet --index-url https://example.org/cpu")
        assert removed < installed


def test_targets_follow_one_another_whatever_j_says(clone):
    """A report that is made together with runs would lack some of them."""
    make_complete(clone)
    (clone / "experiments").mkdir()
    targets = ["census", "power", "plan", "bench"]
    for target in targets:
        script = f"print('{target} begins', flush=True); import json; print('{target} ends')"
        (clone / f"experiments/{target}.py").write_text(script)
    lines = make("-j4", *targets, cwd=clone).stdout.splitlines()
    expected = [f"{target} {event}" for target in targets for event in ("begins", "ends")]
    assert lines == expected


@pytest.mark.slow
def test_moved_clone_is_rebuilt(clone, python, tmp_path):
    set_up(clone, python)
    moved = clone.rename(tmp_path / "it's moved")
    assert_rebuilt(moved, python, f"its programs belong to {clone}/.venv")


@pytest.mark.parametrize("name", ["plain", "with a space", "it's", "x" * 120])
def test_interpreter_of_a_program_is_found(name):
    """As the installer that pip ships writes it."""
    python = f"/home/me/{name}/.venv/bin/python3.11"
    shebang = ScriptMaker(None, None)._build_shebang(python.encode(), b"").decode()
    assert venv_check.INTERPRETER.match(f"{shebang}import re\n")[1] == python


@pytest.mark.slow
def test_interrupted_installation_is_continued(clone, python):
    set_up(clone, python)
    (clone / ".venv/.installed").unlink()
    (line,) = set_up(clone, python)
    assert line.startswith("installing into .venv; ")


@pytest.mark.slow
def test_rebuilt_environment_keeps_the_build_of_torch(clone, python):
    set_up(clone, python, "TORCH_INDEX=https://example.org/cpu")
    (clone / ".venv/bin/python").unlink()
    (clone / "pip-calls").unlink()
    set_up(clone, python)
    calls = (clone / "pip-calls").read_text().splitlines()
    assert calls[0].split()[:4] == ["install", "--quiet", "--index-url", "https://example.org/cpu"]


def test_packages_of_another_pythonpath_are_not_used(clone, python, tmp_path):
    set_up(clone, python)
    (tmp_path / "elsewhere/analysis").mkdir(parents=True)
    (tmp_path / "elsewhere/analysis/__init__.py").write_text("raise SystemExit('the wrong one')")
    (clone / "experiments").mkdir()
    (clone / "experiments/status.py").write_text("import analysis; print(analysis.__file__)")
    completed = make("status", cwd=clone, PYTHONPATH=str(tmp_path / "elsewhere"))
    assert completed.stdout.strip() == str(clone / "analysis/__init__.py")


def test_truncated_library_is_a_fault(monkeypatch, tmp_path):
    (tmp_path / ".installed").touch()
    monkeypatch.setattr("degradation.environment.find_broken_library", "{}: is broken".format)
    assert venv_check._find_incomplete_package(tmp_path) == "torch: is broken"
    monkeypatch.setattr(venv_check, "LIBRARIES", ("no_such_package",))
    assert venv_check._find_incomplete_package(tmp_path) == "it lacks no_such_package"


def test_half_uninstalled_library_is_a_fault(monkeypatch, tmp_path):
    """pip removes the metadata of a package first."""
    (tmp_path / ".installed").touch()
    monkeypatch.setattr(venv_check, "LIBRARIES", ("json",))  # importable, with no metadata
    assert venv_check._find_incomplete_package(tmp_path) == "it lacks the metadata of json"
