"""Nothing in a record is executed, no link in it is followed, and no secret is written to it."""

import contextlib
import io
import os
import pickle
import subprocess
import sys

import pytest
import torch

from degradation.checksums import encode_document, seal
from degradation.config import CONF
from degradation.records.schema import (
    CHECKPOINT_FILE,
    DONE_FILE,
    METRICS_FILE,
    RUN_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.run import RunFailed, train
from degradation.run_probes import ProbesFailed, run_probes
from degradation.sweep.runs import locate_run
from degradation.training import serialization

SCRIPTS = CONF.parent / "experiments"


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return (open, (self.trace, "w"))


def build_pickles(trace):
    """Return a malicious pickle in the forms that torch.load reads: bare, and in an archive."""
    stream = io.BytesIO()
    torch.save({"training": Malicious(trace), "conv1.weight": torch.zeros(1)}, stream)
    return [pickle.dumps(Malicious(trace)), stream.getvalue()]


@pytest.fixture
def trace(tmp_path):
    """Return the file that a malicious pickle writes; the test fails if the file exists."""
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def test_malicious_pickle_writes_its_file(tmp_path):
    pickle.loads(pickle.dumps(Malicious(tmp_path / "executed"))).close()
    assert (tmp_path / "executed").exists()


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize(
    ("wrap", "reason"),
    [
        (bytes, "does not match its own checksum"),
        (seal, "is corrupt, or holds more than tensors and plain values"),
    ],
    ids=["bare", "sealed"],
)
def test_planted_checkpoint_is_not_executed(tiny, trace, caplog, form, wrap, reason):
    """Nor with a valid seal, which an attacker can write too; then only `weights_only` protects."""
    config = tiny("probes=none")
    record = locate_run(config).record
    record.write(CHECKPOINT_FILE, wrap(build_pickles(trace)[form]))
    assert train(config) is State.DONE
    assert f"{CHECKPOINT_FILE} {reason}" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("name", [WEIGHTS_FILE, f"{SNAPSHOTS_DIR}/00000006.pt"])
def test_planted_weights_in_the_manifest_are_not_executed(tiny, trace, form, name):
    """explain.py reads weights that match the manifest."""
    config = tiny()
    train(config)
    record = locate_run(config).record
    manifest = record.read_manifest()
    manifest["files"][name] = record.write(name, build_pickles(trace)[form])
    manifest.pop("sha256", None)
    record.write(DONE_FILE, encode_document(manifest))
    message = r"^residual-d8-s0-\w+: .* holds more than tensors"
    with pytest.raises(ProbesFailed, match=message) as error:
        run_probes(config)
    assert str(error.value).isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("name", [RUN_FILE, METRICS_FILE, DONE_FILE])
def test_pickle_in_place_of_text_is_not_executed(tiny, trace, form, name):
    config = tiny("probes=none")
    train(config)
    record = locate_run(config).record
    record.path(name).write_bytes(build_pickles(trace)[form])
    with contextlib.suppress(RunFailed):
        assert train(config) is State.DONE


@pytest.mark.slow
@pytest.mark.parametrize("name", [RUN_FILE, METRICS_FILE, CHECKPOINT_FILE, WEIGHTS_FILE, DONE_FILE])
def test_planted_link_is_not_followed(tiny, tmp_path, name):
    config = tiny("probes=none")
    record = locate_run(config).record
    outside = tmp_path / "precious"
    outside.write_text("precious")
    record.folder.mkdir(parents=True)
    record.path(name).symlink_to(outside)
    with contextlib.suppress(RunFailed):
        train(config)
    assert outside.read_text() == "precious"


def test_only_weights_are_read(tmp_path, monkeypatch):
    requested = []

    def load(*_, **options):
        requested.append(options["weights_only"])
        return {}

    monkeypatch.setattr(torch, "load", load)
    serialization.load(b"")
    assert requested == [True]


SECRETS = {
    "WANDB_API_KEY": "5ec2e7" * 6 + "abcd",
    "HF_TOKEN": "hf_SecretSecretSecretSecret",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "MY_PASSWORD": "correct-horse-battery-staple",
    "DATABASE_URL": "postgres://me:hunter2hunter2@localhost/db",
}
NETRC_PASSWORD = "netrcnetrcnetrcnetrcnetrcnetrcnetrcnetrc"


def write_broken_images(root):
    """Create an image folder whose images cannot be read."""
    for place in ("train/a", "train/b", "test/a", "test/b"):
        (root / place).mkdir(parents=True)
        (root / place / "broken.png").write_bytes(b"")


@pytest.mark.slow
def test_secrets_of_the_environment_are_never_written(tiny_overrides, tmp_path):
    """A sweep with W&B offline, one that fails, a report and a status: every file and output."""
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir()
    cwd.mkdir()
    netrc = home / ".netrc"
    netrc.write_text(f"machine api.wandb.ai\n  login user\n  password {NETRC_PASSWORD}\n")
    netrc.chmod(0o600)
    environment = os.environ | SECRETS | {"HOME": str(home), "TMPDIR": str(tmp_path)}
    overrides = [*tiny_overrides, "tracking=offline", "seed=0,1"]

    def run(script, *arguments):
        command = [sys.executable, str(SCRIPTS / script), *overrides, *arguments]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=False)

    write_broken_images(cwd / "images")
    failing = ("data=image_folder", f"data.root={cwd / 'images'}")
    completed = [
        run("train.py", "-m"),
        run("train.py", "-m", *failing),
        run("report.py", "-m"),
        run("status.py", *failing),
    ]
    errors = [process.stderr.decode() for process in completed]
    assert [process.returncode for process in completed] == [0, 1, 0, 0], errors
    contents = {str(path): path.read_bytes() for path in cwd.rglob("*") if path.is_file()}
    folders = {path.name for path in cwd.iterdir()}
    assert {"runs", "reports", "multirun"} <= folders
    assert any(name.endswith(".wandb") for name in contents)
    for number, process in enumerate(completed):
        contents[f"output of {number}"] = process.stdout + process.stderr
    for secret in (*SECRETS.values(), NETRC_PASSWORD):
        assert [name for name, content in contents.items() if secret.encode() in content] == []
