"""A bad command line of any script ends in one line and exit status 1, and writes nothing."""

import os
import pickle
import runpy
import sys
import traceback
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

from degradation.cli import is_user_error, run_script
from degradation.config import CONF, ConfigError, check_overrides
from degradation.config.errors import is_single_line
from degradation.data.errors import DataError
from degradation.environment import InstallationError
from degradation.errors import UserError
from degradation.records.schema import RecordError
from degradation.run import RunFailed, train
from degradation.run_probes import ProbesFailed
from degradation.tracking.wandb_process import WandbError

EXPERIMENTS = CONF.parent / "experiments"
ABSENT = "mps" if torch.cuda.is_available() else "cuda"
# script, its arguments, the beginning of the message
COMMANDS = [
    (
        "train",
        "model.dpth=3",
        "model.dpth: no such key (did you mean depth?); allowed in model: layout, ",
    ),
    ("train", "model=nosuch", "model: 'nosuch' is not allowed; allowed: constructed, "),
    ("train", "experiment=nosuch", "experiment: 'nosuch' is not allowed; allowed: bottleneck, "),
    ("train", "experiment=null", "experiment: null is not allowed; allowed: bottleneck, "),
    ("train", "+experiment=quick", "experiment: has a value already; allowed: "),
    (
        "train",
        "model=${oc.env:HOME}",
        "model: '${oc.env:HOME}' is not allowed; allowed: constructed, ",
    ),
    ("train", "model=3", "model: '3' is not allowed; allowed: constructed, "),
    ("train", "model=[plain,residual]", "model: ['plain', 'residual'] is not allowed; allowed: "),
    (
        "train",
        "hydra/launcher=nosuch",
        "hydra/launcher: 'nosuch' is not allowed; allowed: basic, pool, ray, slurm",
    ),
    ("train", "=3", "'=3': has no key; allowed: key=value"),
    ("train", "seed", "seed: cannot be parsed; allowed: key=value"),
    ("train", "seed=[1", "seed=[1: cannot be parsed"),
    ("train", "a b=1", "a b=1: cannot be parsed; allowed: "),
    (
        "train",
        "name=${nosuch}",
        "name: does not resolve (Interpolation key 'nosuch' not found); allowed: ",
    ),
    (
        "train",
        "seed=1,2",
        "seed: '1,2' is not one value; allowed: one value, a list such as [1,2], or",
    ),
    ("train", "seed=range(3)", "seed: 'range(3)' is not one value; allowed: one"),
    (
        "train",
        f"device={ABSENT}",
        f"device: '{ABSENT}' is not available; allowed on this machine: auto, cpu",
    ),
    (
        "train",
        "record_root=file/below",
        "record_root: 'file/below' cannot be written to (Not a directory); allowed: ",
    ),
    ("train", "-m model.depth=8,9", "model.depth: 9 is not allowed; allowed: 6n+2"),
    ("train", "-m seed=range(0,0)", "seed: 'range(0,0)' has no value to sweep over; allowed: "),
    ("train", "-m seed=range(0,9,0)", "seed: 'range(0,9,0)' has no value to sweep over; allowed: "),
    (
        "train",
        "-m seed=interval(0,1)",
        "seed: 'interval(0,1)' has no value to sweep over; allowed: ",
    ),
    ("train", "-m model=glob(zz*)", "model: 'glob(zz*)' has no value to sweep over; allowed: "),
    (
        "train",
        "-m seed=range(0,9999999999)",
        "seed: makes the sweep too long; allowed: at most 100000 runs",
    ),
    (
        "train",
        "data=imagenet data.root=file data.pad=4",
        "data.pad: 4 is not allowed; allowed: 0, for images that are read from disk",
    ),
    ("train", "--nosuch", "--nosuch: not recognised; --help shows what is allowed"),
    (
        "train",
        "seed=1 -m model=plain",
        "model=plain: an option separates this from the other overrides; put options such as --cfg"
        " job at the end",
    ),
    ("train", "--config", "ambiguous option: --config could match "),
    ("train", "--cfg=nosuch", "--cfg/-c: invalid choice: 'nosuch'"),
    (
        "train",
        "--config-name=nosuch",
        "--config-name: 'nosuch' is not allowed; allowed: config, explain, landscape",
    ),
    (
        "train",
        "--config-dir=nosuch",
        "--config-dir: 'nosuch' does not exist; allowed: an existing folder",
    ),
    ("train", "--resolve", "--resolve: is not allowed; allowed: only with --cfg"),
    ("train", "--experimental-rerun=planted", "--experimental-rerun: is not allowed"),
    ("train", "--exp=planted", "--experimental-rerun: is not allowed"),
    ("explain", "--nosuch", "--nosuch: not recognised"),
    ("status", "model.dpth=3", "model.dpth: no such key"),
    (
        "status",
        "epochs=10",
        "epochs: no such key (the length is counted in iterations: schedule.iterations); allowed: ",
    ),
    ("status", "seed=range(0,0)", "seed: 'range(0,0)' has no value to sweep over"),
    ("status", "--nosuch", "--nosuch: not recognised"),
    ("report", "experiment=nosuch", "experiment: 'nosuch' is not allowed; allowed: "),
    ("report", "--records=nosuch", "--records: 'nosuch' does not exist; allowed: a folder of "),
    ("report", "--records=nosuch.zip", "--records: 'nosuch.zip' does not exist; allowed: "),
    (
        "report",
        "--records=nosuch seed=1",
        "--records: is not allowed with overrides; allowed: one of the two",
    ),
    ("report", "--records=file", "file: is not a zip archive; allowed: a folder of records, or"),
    ("report", "--where=depth<60", "--where: is not allowed without --records"),
    ("report", "--records=nosuch --name=../x", "--name: '../x' is not allowed; allowed: a name "),
    ("report", "--training-error=best", "--training-error: invalid choice: 'best'"),
    ("census", "model.depth=21", "model.depth: 21 is not allowed; allowed: 6n+2"),
    ("census", "--picture 3 0 10", "--picture: [3, 0, 10] is not allowed; allowed: "),
    ("census", "--picture 3 32", "--picture: expected 3 arguments"),
    ("bench", "seed=[1", "seed=[1: cannot be parsed"),
    ("bench", "--part=nosuch", "--part: invalid choice: 'nosuch'"),
    ("bench", "--rounds=0", "--rounds: 0 is not allowed; allowed: 1 or more"),
    ("bench", "--seconds=nan", "--seconds: nan is not allowed; allowed: more than 0"),
    ("bench", "--runs=1", "--runs: 1 is not allowed; allowed: 2 or more"),
]
# the same; these compose a configuration, or do more, so they are slow
COMPOSED = [
    (
        "train",
        "hydra.searchpath=[nosuch]",
        "hydra.searchpath=[nosuch]: cannot be composed (UserWarning: provider=",
    ),
    (
        "train",
        "hydra.job.env_copy=[NO_SUCH_VARIABLE]",
        "hydra.job.env_copy=[NO_SUCH_VARIABLE]: cannot be composed (KeyError: 'NO_SUCH_VARIABLE')",
    ),
    (
        "train",
        "-m hydra.launcher.preflight=nosuch.f",
        "Error in call to target 'hydra_plugins.pool_launcher.",
    ),
    ("train", "-m hydra.sweep.dir=file/below", "file/below: Not a directory"),
    ("explain", "", "residual-d20-s0-89440b24: is missing; train it first"),
    ("explain", "record_root=file", "record_root: 'file' is a file, and this command writes "),
    ("status", "record_root=file", "file: is not a zip archive; allowed: a folder of records, or "),
    ("report", "record_root=file", "file: is not a zip archive; allowed: a folder of records, or "),
    ("report", "--reports=file", "--reports: 'file' is not a folder"),
    (
        "train",
        "model.depth=deep",
        "model.depth: 'deep' is not a whole number; allowed: ",
    ),
    (
        "train",
        "model.depth=",
        "model.depth: '' is not a whole number; allowed: ",
    ),
    (
        "train",
        "schedule.warmup.lr=1",
        "schedule.warmup.lr: cannot be given, since schedule.warmup is null; allowed: ",
    ),
    (
        "train",
        "schedule.plateau={patience:3,improvement:0.1}",
        "schedule.plateau: cannot be given, since schedule.plateau is null; allowed: a schedule of",
    ),
    (
        "train",
        "model.width=8.5",
        "model.width: 8.5 is not a whole number; allowed: a whole number, ",
    ),
    ("train", "data=imagenet", "data.root: is missing; allowed: the folder of "),
    ("train", "data=image_folder", "data.root: is missing; allowed: the folder of "),
    ("train", "record_root=file", "record_root: 'file' is a file, and this command writes "),
    ("train", "record_root=dangling", "record_root: 'dangling' cannot be written to"),
    (
        "train",
        "record_root=/proc/nosuch/below",
        "record_root: '/proc/nosuch/below' cannot be written to",
    ),
    (
        "train",
        "-m seed=a,b",
        "seed: 'a' is not a whole number; allowed: ",
    ),
    (
        "train",
        "-m model.depth=8 record_root=file/below",
        "record_root: 'file/below' cannot be written to",
    ),
    (
        "train",
        "-m hydra.launcher.slots=0",
        "hydra.launcher.slots: 0 is not allowed; allowed: 1 or more",
    ),
    (
        "train",
        "-m hydra.launcher.slots=some",
        "hydra.launcher.slots: 'some' is not a whole number; ",
    ),
    ("train", "-m hydra.nosuch=1", "hydra.nosuch: no such key; allowed in hydra: run, "),
    (
        "train",
        "hydra.mode=walk",
        "hydra.mode: Invalid value 'walk', expected one of [RUN, MULTIRUN]; allowed: ",
    ),
    ("train", "--cfg=job model.dpth=3", "model.dpth: no such key"),
    ("explain", "probes.early=0", "probes.early: 0 is not allowed; allowed: "),
    (
        "landscape",
        "landscape.parts=1 landscape.depths=[0]",
        "landscape.depths: [0] is not allowed; allowed: ",
    ),
    (
        "status",
        "seed=a,b",
        "seed: 'a' is not a whole number; allowed: ",
    ),
    (
        "bench",
        "--part=overhead experiment=construction_digits seed=0",
        "model.grown_from: a constructed network cannot be timed",
    ),
    (
        "bench",
        "--part=overhead experiment=quick hydra/launcher=slurm",
        "hydra/launcher: another launcher cannot be timed against the bare training loop",
    ),
    (
        "plan",
        "hydra.launcher.slots=0",
        "hydra.launcher.slots: 0 is not allowed; allowed: 1 or more",
    ),
    (
        "plan",
        "experiment=quick --devices=0",
        "--devices: 0 is not allowed; allowed: more than 0",
    ),
    (
        "plan",
        "experiment=quick --device=tpu",
        "--device: no run in runs was trained on 'tpu';"
        " allowed: cpu, mps, cuda, or any device with --rate",
    ),
]


@pytest.fixture(scope="module")
def _heavy_imports():
    """Import once what the scripts import, instead of in every fork."""
    for module in ("analysis.report", "degradation.run_probes", "degradation.models.complexity"):
        import_module(module)


def run_forked(script, *arguments, cwd, log):
    """Return a script's exit status and stderr. It runs in a fork, which is fast to start."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.chdir(cwd)
            GlobalHydra.instance().clear()
            sys.argv = [f"{script}.py", *arguments]
            with open(log, "w", buffering=1) as sys.stderr:
                try:
                    runpy.run_path(str(EXPERIMENTS / f"{script}.py"), run_name="__main__")
                except SystemExit as end:
                    status = int(end.code or 0)
                except BaseException:
                    traceback.print_exc()
        finally:
            os._exit(status)
    _, wait_status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(wait_status), log.read_text()


def read_tree(folder):
    """Return the content of every file below a folder; False for other paths."""
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.fixture
def workplace(tmp_path, _heavy_imports):
    """Return a working folder that holds a file, a dangling link and a malicious pickle."""
    folder = tmp_path / "a place"
    folder.mkdir()
    (folder / "file").write_text("content")
    (folder / "dangling").symlink_to("nowhere/at/all")
    (folder / "planted").write_bytes(pickle.dumps(Malicious()))
    return folder


class Malicious:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return Path("executed").write_text, ("by a pickle",)


def assert_refused_in_one_line(result, line):
    status, output = result
    assert output.startswith(line), output
    assert output.endswith("\n")
    assert is_single_line(output[:-1])
    assert status == 1


@pytest.mark.fast_cases(16)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize(
    ("script", "arguments", "line"),
    [*COMMANDS, *(pytest.param(*case, marks=pytest.mark.slow) for case in COMPOSED)],
)
def test_bad_command_is_one_line_and_writes_nothing(workplace, tmp_path, script, arguments, line):
    before = read_tree(workplace)
    split = [arguments] if arguments == "a b=1" else arguments.split()
    result = run_forked(script, *split, cwd=workplace, log=tmp_path / "log")
    assert_refused_in_one_line(result, line)
    assert read_tree(workplace) == before


FILTERS = {
    "depth <": "--where: 'depth <' is not a valid query: ",
    "nosuch == 1": "--where: 'nosuch == 1' is not a valid query: nosuch: no such column;"
    " columns (a name that has . or / needs backticks",
    "depth == 999": "runs: contains no records for which 'depth == 999' is true",
}


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_bad_filter_is_one_line_and_writes_nothing(workplace, tmp_path, tiny):
    train(replace(tiny(), record_root=str(workplace / "runs")))
    before = read_tree(workplace)
    for query, line in FILTERS.items():
        arguments = ("--records=runs", f"--where={query}")
        result = run_forked("report", *arguments, cwd=workplace, log=tmp_path / "log")
        assert_refused_in_one_line(result, line)
    assert read_tree(workplace) == before


def test_hydra_full_error_keeps_the_traceback(monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(ConfigError):
        run_script(lambda: check_overrides(["=3"]))


def test_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_script(lambda: 1 // 0)


@pytest.mark.parametrize("kind", [OSError, UserError, DataError, RunFailed, ConfigError])
def test_message_stays_on_one_line(capsys, kind):
    def main():
        raise kind("a\nb  \x1b[2J\u202ec")

    with pytest.raises(SystemExit) as exit_info:
        run_script(main)
    assert exit_info.value.code == 1
    assert capsys.readouterr().err == "a\\nb  \\x1b[2J\\u202ec\n"


def test_every_error_of_the_project_is_a_user_error():
    for kind in (
        ConfigError, DataError, InstallationError, ProbesFailed, RecordError, RunFailed,
        WandbError,
    ):  # fmt: skip
        assert is_user_error(kind("message"))
    assert not is_user_error(ValueError("message"))
