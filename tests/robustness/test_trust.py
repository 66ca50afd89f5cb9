"""Nothing that lies in a record can run, nothing is followed out of it, and nothing secret gets into one."""

import contextlib
import io
import os
import pickle
import subprocess
import sys

import pytest
import torch

from degradation.config import CONF
from degradation.durable_io import encode_document, seal
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
from degradation.sweep.jobs import locate_run
from degradation.training import serialization

SCRIPTS = CONF.parent / "experiments"


class Malicious:
    """Leaves a file where it is unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (open, (self.mark, "w"))


def planted_pickles(mark):
    """The forms that a pickle may have for torch.load: bare, and in an archive, beside tensors."""
    stream = io.BytesIO()
    torch.save({"training": Malicious(mark), "conv1.weight": torch.zeros(1)}, stream)
    return [pickle.dumps(Malicious(mark)), stream.getvalue()]


@pytest.fixture
def mark(tmp_path):
    path = tmp_path / "executed"
    yield path
    assert not path.exists()


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Malicious(tmp_path / "executed"))).close()
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize(
    ("wrap", "reason"),
    [
        (bytes, "does not match its own checksum"),
        (seal, "is corrupt, or holds more than tensors and plain values"),
    ],
    ids=["bare", "sealed"],
)
def test_a_planted_checkpoint_does_nothing(tiny, mark, caplog, form, wrap, reason):
    """Nor where its seal is right, which whoever plants it can write too: then `weights_only` alone keeps it out."""
    config = tiny("probes=none")
    record = locate_run(config).record
    record.write(CHECKPOINT_FILE, wrap(planted_pickles(mark)[form]))
    assert train(config) is State.DONE
    assert f"{CHECKPOINT_FILE} {reason}" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("name", [WEIGHTS_FILE, f"{SNAPSHOTS_DIR}/00000006.pt"])
def test_planted_weights_do_nothing_though_the_manifest_fits_them(tiny, mark, form, name):
    """explain.py reads them."""
    config = tiny()
    train(config)
    record = locate_run(config).record
    manifest = record.read_manifest()
    manifest["files"][name] = record.write(name, planted_pickles(mark)[form])
    record.write(
        DONE_FILE,
        encode_document({key: value for key, value in manifest.items() if key != "sha256"}),
    )
    with pytest.raises(
        ProbesFailed, match=r"^residual-d8-s0-\w+: .* holds more than tensors"
    ) as told:
        run_probes(config)
    assert str(told.value).isprintable()


@pytest.mark.slow
@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("name", [RUN_FILE, METRICS_FILE, DONE_FILE])
def test_a_pickle_in_place_of_a_text_does_nothing(tiny, mark, form, name):
    config = tiny("probes=none")
    train(config)
    record = locate_run(config).record
    record.path(name).write_bytes(planted_pickles(mark)[form])
    with contextlib.suppress(RunFailed):
        assert train(config) is State.DONE


@pytest.mark.slow
@pytest.mark.parametrize("name", [RUN_FILE, METRICS_FILE, CHECKPOINT_FILE, WEIGHTS_FILE, DONE_FILE])
def test_a_planted_link_leads_nowhere(tiny, tmp_path, name):
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
    asked = []
    monkeypatch.setattr(
        torch, "load", lambda *_, **options: asked.append(options["weights_only"]) or {}
    )
    serialization.load(b"")
    assert asked == [True]


SECRETS = {
    "WANDB_API_KEY": "5ec2e7" * 6 + "abcd",
    "HF_TOKEN": "hf_SecretSecretSecretSecret",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    "MY_PASSWORD": "correct-horse-battery-staple",
    "DATABASE_URL": "postgres://me:hunter2hunter2@localhost/db",
}
IN_NETRC = "netrcnetrcnetrcnetrcnetrcnetrcnetrcnetrc"


@pytest.mark.slow
def test_no_key_or_value_of_the_environment_is_ever_written(tiny_overrides, tmp_path):
    """A sweep with W&B offline of which one run fails, its report, a sweep to retry it: every byte that is left."""
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir()
    cwd.mkdir()
    (home / ".netrc").write_text(f"machine api.wandb.ai\n  login user\n  password {IN_NETRC}\n")
    (home / ".netrc").chmod(0o600)
    environment = os.environ | SECRETS | {"HOME": str(home), "TMPDIR": str(tmp_path)}

    def run(script, *given):
        command = [
            sys.executable,
            str(SCRIPTS / script),
            *tiny_overrides,
            "tracking=offline",
            "seed=0,1",
            *given,
        ]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, check=False)

    pictures = cwd / "pictures"
    for place in ("train/a", "train/b", "test/a", "test/b"):
        (pictures / place).mkdir(parents=True)
        (pictures / place / "broken.png").write_bytes(b"")
    failing = ("data=image_folder", f"data.root={pictures}")
    done = [
        run("train.py", "-m"),
        run("train.py", "-m", *failing),
        run("report.py", "-m"),
        run("status.py", *failing),
    ]
    assert [one.returncode for one in done] == [0, 1, 0, 0], [one.stderr.decode() for one in done]
    written = {path: path.read_bytes() for path in cwd.rglob("*") if path.is_file()}
    names = {path.relative_to(cwd).parts[0] for path in written}
    assert {"runs", "reports", "multirun"} <= names
    assert any(path.suffix == ".wandb" for path in written)
    written |= {f"output of {number}": one.stdout + one.stderr for number, one in enumerate(done)}
    for secret in (*SECRETS.values(), IN_NETRC):
        assert [str(path) for path, content in written.items() if secret.encode() in content] == []
