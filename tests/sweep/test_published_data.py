"""Published data are there and verified before any job starts, or one line refuses the sweep."""

import gzip
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from PIL import Image

from degradation.config import CONF, compose_overrides, initialise_hydra
from degradation.data import cifar, downloads, fashion_mnist
from degradation.data.errors import DataError
from degradation.records.record import Record
from degradation.records.schema import State
from degradation.sweep.jobs import check_training_job
from degradation.sweep.probe_jobs import check_landscape_job, check_probe_job

EXPERIMENTS = CONF.parent / "experiments"
BYTES = b"what was published"
# what urllib meets where there is no network; nothing listens on port 9
OFFLINE = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
HOSTS = {"cifar10": r"www\.cs\.toronto\.edu", "fashion_mnist": r"\S+\.amazonaws\.com"}


@pytest.fixture
def requested(monkeypatch):
    """Return the list of downloaded URLs; what is downloaded has the expected checksum."""
    urls = []
    digest = sha256(BYTES).hexdigest()
    monkeypatch.setattr(cifar, "CIFAR10", replace(cifar.CIFAR10, sha256=digest))
    files = {key: replace(file, sha256=digest) for key, file in fashion_mnist.FILES.items()}
    monkeypatch.setattr(fashion_mnist, "FILES", files)
    monkeypatch.setattr(fashion_mnist, "DEBIAN_FOLDER", Path("no such folder"))

    def download_url(url, root, filename):
        urls.append(url)
        content = BYTES if url.endswith(".tar.gz") else gzip.compress(BYTES)
        Path(root, filename).write_bytes(content)

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    return urls


@pytest.fixture
def job(tmp_path):
    """Return a function that returns the configuration of a job, as a launcher passes it."""
    roots = [f"data.root={tmp_path / 'data'}", f"record_root={tmp_path / 'runs'}"]

    def compose(*overrides):
        with initialise_hydra():
            return compose_overrides("config", [*roots, *overrides])

    return compose


def run_script(script, *arguments, cwd, **environment):
    return subprocess.run(
        [sys.executable, str(EXPERIMENTS / script), *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(("name", "files"), [("cifar10", 1), ("fashion_mnist", 4)])
@pytest.mark.parametrize("check", [check_training_job, check_probe_job, check_landscape_job])
def test_data_are_downloaded_once_before_the_jobs(
    job, requested, monkeypatch, tmp_path, check, name, files
):
    verified = []
    read_verified = downloads._read_verified
    monkeypatch.setattr(
        downloads,
        "_read_verified",
        lambda path, file: verified.append(path) or read_verified(path, file),
    )
    for seed in range(3):
        check(job(f"data={name}", f"seed={seed}"))
    assert len(requested) == len(verified) == files
    assert len(list((tmp_path / "data").glob("*.gz"))) == files


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
@pytest.mark.parametrize("check", [check_training_job, check_probe_job, check_landscape_job])
def test_offline_the_first_check_refuses_the_sweep(job, requested, monkeypatch, check, name):
    def download_url(url, root, filename):
        requested.append(url)
        raise OSError("Network is unreachable")

    monkeypatch.setattr("torchvision.datasets.utils.download_url", download_url)
    message = (
        rf"/data/\S+\.gz: cannot be downloaded from {HOSTS[name]} \(Network is unreachable\);"
        " run `make data` where there is a network, or put the file there yourself$"
    )
    with pytest.raises(DataError, match=message):
        check(job(f"data={name}"))


@pytest.mark.slow
def test_finished_runs_need_no_data(job, requested, monkeypatch):
    monkeypatch.setattr(Record, "final_outcome", lambda _: State.DONE)
    monkeypatch.setattr(Record, "outcome", lambda _: State.DIVERGED)
    for check in (check_training_job, check_probe_job, check_landscape_job):
        assert check(job("data=cifar10")).skip_reason is not None
    assert requested == []


def test_every_launcher_checks_before_it_starts_jobs():
    for name in ("pool", "slurm", "ray"):
        launcher = OmegaConf.load(CONF / f"hydra/launcher/{name}.yaml")
        assert launcher.preflight == "degradation.sweep.jobs.check_training_job"


def test_folder_that_cannot_be_written_to_is_named(job, requested, tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataError, match=r"cifar-10\S+: .* cannot be written to .*data\.root"):
        check_training_job(job("data=cifar10"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
def test_offline_sweep_is_refused_in_one_line(tmp_path, tiny_overrides, name):
    arguments = [*tiny_overrides, f"data={name}", "data.root=data", "seed=0,1,2"]
    result = run_script("train.py", "-m", *arguments, cwd=tmp_path, **OFFLINE)
    assert (result.returncode, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert re.search(rf"data/\S+\.gz: cannot be downloaded from {HOSTS[name]} \(.*refused", line)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_data_command_fetches_or_checks_each_data_set(tmp_path):
    offline = run_script("data.py", "data=cifar10,digits", cwd=tmp_path, **OFFLINE)
    assert offline.returncode == 1
    (problem,) = offline.stderr.splitlines()
    assert problem.startswith("cifar10: datasets/cifar-10-python.tar.gz: cannot be downloaded from")
    assert offline.stdout == (
        "digits: nothing is needed; the images come with the installed packages\n"
    )
    missing = run_script("data.py", "data=imagenet", "data.root=nowhere", cwd=tmp_path)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert re.match(
        r"imagenet: data\.root: 'nowhere' is not a folder .*; this command cannot download",
        missing.stderr,
    )


@pytest.fixture
def run_data_command(monkeypatch):
    """Return a function that runs data.py in this process and returns its exit status."""
    spec = importlib.util.spec_from_file_location("data_command", EXPERIMENTS / "data.py")
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["data.py", *arguments])
        return command.main()

    return run


def test_data_command_says_where_the_files_are(requested, tmp_path, run_data_command, capsys):
    arguments = ["experiment=paper", f"data.root={tmp_path}/data"]
    path = tmp_path / "data/cifar-10-python.tar.gz"
    for _ in range(2):
        assert run_data_command(*arguments) == 0
        assert capsys.readouterr() == (f"cifar10: {path}: verified (0.0 MB)\n", "")
    assert len(requested) == 1
    path.write_bytes(BYTES[:-1])
    assert run_data_command(*arguments) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"cifar10: {path}: SHA-256 is ")


def test_data_command_checks_a_folder_of_images(tmp_path, run_data_command, capsys):
    for number, name in enumerate(["train/cat", "train/dog", "test/cat", "test/dog"]):
        (tmp_path / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (60 * number, 0, 0)).save(tmp_path / name / "a.png")
    arguments = ["data=image_folder", f"data.root={tmp_path}"]
    assert run_data_command(*arguments) == 0
    lines = [f"image_folder: {tmp_path / split}: 2 images" for split in ("train", "test")]
    assert capsys.readouterr() == ("\n".join([*lines, ""]), "")
    (tmp_path / "train/dog/b.png").write_bytes(b"no image")
    assert run_data_command(*arguments) == 1
    assert "train/dog/b.png" in capsys.readouterr().err
