"""Neither the environment nor a user's configuration files change or break a report's figures."""

import os
import re
import subprocess
import sys

import matplotlib
import pytest

from analysis.figures import matplotlib_import, style
from tests.support.clones import ROOT

# Builds a report, and prints what a notebook would see of matplotlib's settings afterwards.
WRITTEN_AT = re.compile(rb'"written_at": "[^"]*"')  # the time of the report

BUILD = """
import sys
from pathlib import Path
from analysis.report import build
from tests.support.frames import make_frame
errors = {"plain": {8: [1.5, 2.0], 20: [30.0, 41.25]}, "residual": {8: [1.0, 1.5], 20: [0.5, 1.0]}}
build(make_frame(errors), Path(sys.argv[1]), "one", "make report", {"digits": 2.0})
"""
NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
SETTINGS = """
axes.facecolor: 000000
axes.formatter.use_locale: True
axes.prop_cycle: cycler('color', ['ff0000'])
figure.dpi: 31
font.size: 31
savefig.dpi: 31
svg.fonttype: none
text.usetex: True
no.such.key: 1
"""
UNREADABLE = b"axes.facecolor: \xff\xfe\n"


def write_configuration(folder, contents):
    (folder / "stylelib").mkdir(parents=True)
    (folder / "matplotlibrc").write_bytes(contents)
    (folder / "stylelib/classic.mplstyle").write_bytes(contents)
    return str(folder)


def settings_of_a_folder(folder):
    return {"MPLCONFIGDIR": write_configuration(folder / "mpl", SETTINGS.encode())}


def unreadable_settings_of_a_folder(folder):
    return {"MPLCONFIGDIR": write_configuration(folder / "mpl", UNREADABLE)}


def settings_of_a_file(folder):
    write_configuration(folder / "mpl", UNREADABLE)
    return {"MATPLOTLIBRC": str(folder / "mpl/matplotlibrc")}


def settings_of_the_home_folder(folder):
    write_configuration(folder / "home/.config/matplotlib", SETTINGS.encode())
    return {"HOME": str(folder / "home"), "XDG_CONFIG_HOME": ""}


def settings_of_the_working_directory(folder):
    write_configuration(folder / "cwd", UNREADABLE)
    return {}


def all_at_once(folder):
    variables = {"FREETYPE_PROPERTIES": "truetype:interpreter-version=35", "COLUMNS": "20"}
    variables |= settings_of_a_folder(folder) | settings_of_the_working_directory(folder) | NOTEBOOK
    write_configuration(folder / "other", SETTINGS.encode())
    return variables | {"MATPLOTLIBRC": str(folder / "other")}


DISPLAY = {"MPLBACKEND": "TkAgg", "DISPLAY": ""}
LOCALE = {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"}
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
TERMINAL = {"COLUMNS": "20", "NO_COLOR": "1", "TERM": "dumb", "TZ": "Asia/Tokyo"}
OPTIMISED = {"PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "5"}
WARNINGS = {"PYTHONWARNINGS": "error"}
DATE = {"SOURCE_DATE_EPOCH": "1"}
# Two or three compatible settings at a time, since a report takes seconds.
ENVIRONMENTS = {
    "notebook, folder": lambda folder: NOTEBOOK | settings_of_a_folder(folder),
    "display, unreadable folder": lambda folder: DISPLAY | unreadable_settings_of_a_folder(folder),
    "locale, file": lambda folder: LOCALE | settings_of_a_file(folder),
    "terminal, home": lambda folder: TERMINAL | settings_of_the_home_folder(folder),
    "optimised, cwd": lambda folder: OPTIMISED | settings_of_the_working_directory(folder),
    "ascii, warnings, date": lambda _: ASCII | WARNINGS | DATE,
}


def build_report(folder, variables):
    """Return the files of a report that a process with these variables has written."""
    (folder / "cwd").mkdir(exist_ok=True)
    completed = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder / "report")],
        cwd=folder / "cwd",
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr == ""
    files = {path.name: path.read_bytes() for path in (folder / "report").iterdir()}
    files["report.json"] = WRITTEN_AT.sub(b"", files["report.json"])
    return files


@pytest.fixture(scope="module")
def plain_report(tmp_path_factory):
    files = build_report(tmp_path_factory.mktemp("plain"), {})
    assert {"error-against-depth.png", "error-against-depth.svg", "report.html"} <= files.keys()
    return files


@pytest.mark.slow
def test_hostile_environment_changes_no_byte_of_a_report(tmp_path, plain_report):
    assert build_report(tmp_path, all_at_once(tmp_path)) == plain_report


@pytest.mark.slow
@pytest.mark.parametrize("prepare", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_each_setting_changes_no_byte_of_a_report(tmp_path, plain_report, prepare):
    assert build_report(tmp_path, prepare(tmp_path)) == plain_report


@pytest.mark.slow
@pytest.mark.parametrize("script", ["report", "power"])
def test_notebooks_backend_does_not_break_a_command(script):
    completed = subprocess.run(
        [sys.executable, str(ROOT / f"experiments/{script}.py"), "--help"],
        env=os.environ | NOTEBOOK,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr


def test_settings_of_a_notebook_are_replaced_and_restored():
    with matplotlib.rc_context({"font.size": 31.0, "axes.facecolor": "black"}):
        with style.own_settings():
            assert matplotlib.rcParams["font.size"] == style.SETTINGS["font.size"]
            assert matplotlib.rcParams["axes.facecolor"] == "white"
        assert matplotlib.rcParams["font.size"] == 31.0
        assert matplotlib.rcParams["axes.facecolor"] == "black"


def test_environment_and_working_directory_are_restored(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in matplotlib_import.VARIABLES:
        monkeypatch.setenv(name, "mine")
    with matplotlib_import.default_settings():
        assert not set(matplotlib_import.VARIABLES) & set(os.environ)
        assert os.path.exists("matplotlibrc")
    assert [os.environ[name] for name in matplotlib_import.VARIABLES] == ["mine"] * 3
    assert os.getcwd() == str(tmp_path)
