"""The environment that a run needs; a missing part is reported in one line at the start."""

import logging
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from degradation import environment
from degradation.config import ConfigError
from degradation.environment import (
    InstallationError,
    check_installation,
    check_torch_pair,
    find_broken_library,
    find_commit,
)
from degradation.training import device
from degradation.training.device import check_precision, choose_device


def test_installed_packages_match():
    check_installation()


@pytest.mark.parametrize(
    ("torch", "torchvision"),
    [("2.14.1", "0.29.1"), ("2.14.1+cpu", "0.29.1+cpu"), ("2.15.0", "0.30.0")],
)
def test_matching_pairs_are_accepted(torch, torchvision):
    check_torch_pair(torch, torchvision)


@pytest.mark.parametrize(
    ("torch", "torchvision", "problem"),
    [
        ("2.14.1", "0.28.0", "does not match"),
        ("2.13.0", "0.29.1", "does not match"),
        ("2.14.1+cpu", "0.29.1+cu130", "builds"),
        ("2.14.1+cpu", "0.29.1", "builds"),
        ("3.1.0", "0.16.0", "does not match"),
    ],
)
def test_mismatched_pairs_are_rejected(torch, torchvision, problem):
    with pytest.raises(InstallationError, match=problem):
        check_torch_pair(torch, torchvision)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The path of the only library, of eight bytes, of an installed torch."""
    library = tmp_path / "torch/lib/libtorch.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"8 bytes!")
    record = (
        "torch/lib/libtorch.so,sha256=a,8\n"
        "torch/__init__.py,sha256=b,3\n"
        "torch-2.dist-info/RECORD,,\n"
    )
    package = SimpleNamespace(read_text=lambda _: record, locate_file=lambda name: tmp_path / name)
    monkeypatch.setattr(environment, "distribution", lambda _: package)
    find_broken_library.cache_clear()
    yield library
    find_broken_library.cache_clear()


@pytest.mark.parametrize("content", [None, b"", b"8 byte", b"nine byte"])
def test_incomplete_library_is_named(installed, content):
    check_installation()
    find_broken_library.cache_clear()
    if content is None:
        installed.unlink()
        problem = "is missing"
    else:
        installed.write_bytes(content)
        problem = f"has {len(content)} bytes instead of 8"
    with pytest.raises(
        InstallationError,
        match=rf"^torch: the library {installed} {problem}; install both from the same index",
    ) as error:
        check_installation()
    assert "\n" not in str(error.value)


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A function (name, text) that writes a shell script to the only folder of PATH."""

    def write(name, text):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    find_commit.cache_clear()
    yield write
    find_commit.cache_clear()


HANG = "exec /bin/sleep 600"


@pytest.mark.parametrize("git", [None, "exit 128", HANG, r"printf '\377\376'", "kill -9 $$"])
def test_commit_is_unknown_if_git_does_not_answer(program, monkeypatch, git):
    monkeypatch.setattr(environment, "GIT_TIMEOUT_S", 0.2)
    if git is not None:
        program("git", git)
    assert find_commit() is None


def test_git_reads_this_clone_and_writes_nothing(program, monkeypatch):
    """Git sets GIT_DIR for the hooks that it runs."""
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    program("git", 'echo "$GIT_DIR $GIT_OPTIONAL_LOCKS ${GIT_CEILING_DIRECTORIES:+set}"')
    assert find_commit() == "0 set+"


def test_missing_gpu_is_rejected_if_requested(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == choose_device("cuda").type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        ConfigError, match=r"^device: 'cuda' is not available; allowed on this machine: auto, cpu$"
    ):
        choose_device("cuda")


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_bf16_is_rejected_on_a_device_without_it(compose_config, monkeypatch, kind):
    bf16, fp32 = (compose_config(f"precision={name}").precision for name in ("bf16", "fp32"))
    supported = []
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: bool(supported)
    )
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_: bool(supported))
    with pytest.raises(
        ConfigError,
        match=rf"^precision\.dtype: 'bf16' is not supported by this {kind} device; .*fp32$",
    ):
        check_precision(torch.device(kind), bf16)
    check_precision(torch.device(kind), fp32)
    supported.append(True)
    check_precision(torch.device(kind), bf16)


@pytest.mark.parametrize(
    ("kind", "capability", "is_supported"),
    [("cpu", None, False), ("mps", None, False), ("cuda", (7, 5), False), ("cuda", (8, 0), True)],
)
def test_tf32_needs_a_gpu_that_has_it(compose_config, monkeypatch, kind, capability, is_supported):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    tf32 = compose_config("precision=tf32").precision
    if is_supported:
        check_precision(torch.device(kind), tf32)
        return
    with pytest.raises(
        ConfigError,
        match=rf"^precision\.dtype: 'tf32' is not supported by this {kind} device; .*fp32$",
    ):
        check_precision(torch.device(kind), tf32)


@pytest.mark.parametrize(
    ("overrides", "tf32", "deterministic"),
    [
        ((), False, True),
        (("precision=bf16",), False, True),
        (("precision=tf32",), True, True),
        (("precision.deterministic=false",), False, False),
        (("precision=tf32", "precision.deterministic=false"), True, False),
    ],
)
def test_precision_sets_the_arithmetic(compose_config, overrides, tf32, deterministic):
    with device.restored_settings():
        device.make_reproducible(1, compose_config(*overrides).precision)
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        assert (cudnn.allow_tf32, matmul.allow_tf32) == (tf32, tf32)
        assert (cudnn.deterministic, cudnn.benchmark) == (deterministic, not deterministic)


OWNERS = {
    "torch": torch.backends,
    "cudnn": torch.backends.cudnn,
    "convolution": torch.backends.cudnn.conv,
    "product": torch.backends.cuda.matmul,
    "mkldnn": torch.backends.mkldnn,
    "mkldnn convolution": torch.backends.mkldnn.conv,
    "mkldnn product": torch.backends.mkldnn.matmul,
}


@pytest.mark.parametrize("dtype", ["fp32", "tf32"])
@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("precision", ["ieee", "tf32"])
def test_precision_of_the_callers_program_is_replaced_and_restored(
    compose_config, dtype, owner, precision
):
    """A program may set it for all operations, or for some; reading `allow_tf32` then fails."""
    with device.restored_settings():
        OWNERS[owner].fp32_precision = precision
        before = [each.fp32_precision for each in OWNERS.values()]
        with device.restored_settings():
            device.make_reproducible(1, compose_config(f"precision={dtype}").precision)
            used = [OWNERS[name].fp32_precision for name in ("convolution", "product")]
            assert [name == "tf32" for name in used] == [dtype == "tf32"] * 2
            on_cpu = {OWNERS[name].fp32_precision for name in OWNERS if name.startswith("mkldnn")}
            assert on_cpu <= {"none", "ieee"}
        assert [each.fp32_precision for each in OWNERS.values()] == before


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_matmul_precision_of_the_callers_program_is_replaced_and_restored(
    compose_config, precision
):
    with device.restored_settings():
        torch.set_float32_matmul_precision(precision)
        before = [each.fp32_precision for each in OWNERS.values()]
        with device.restored_settings():
            device.make_reproducible(1, compose_config().precision)
            assert torch.get_float32_matmul_precision() == "highest"
            assert OWNERS["mkldnn product"].fp32_precision in ("none", "ieee")
        assert torch.get_float32_matmul_precision() == precision
        assert torch.backends.cuda.matmul.allow_tf32 == (precision != "highest")
        assert [each.fp32_precision for each in OWNERS.values()] == before


@pytest.mark.parametrize("native", [False, True])
def test_emulated_bf16_warns_once(compose_config, monkeypatch, caplog, native):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": native}
    )
    device._warn_about_emulation.cache_clear()
    for precision in ("fp32", "bf16", "bf16"):
        check_precision(torch.device("cpu"), compose_config(f"precision={precision}").precision)
    device._warn_about_emulation.cache_clear()
    expected_levels = [] if native else [logging.WARNING]
    assert [record.levelno for record in caplog.records] == expected_levels


# Whole commands

TRAIN = environment.Path(environment.__file__).parents[2] / "experiments/train.py"


def train(*words, cwd, script=TRAIN, **variables):
    return subprocess.run(
        [sys.executable, str(script), *words],
        cwd=cwd,
        env=os.environ | variables,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


def read_metrics(root):
    return {path.parent.name: path.read_bytes() for path in root.glob("*/metrics.jsonl")}


@pytest.fixture(scope="module")
def plain_run(tiny_overrides, tmp_path_factory):
    """The metrics of a run in an ordinary environment."""
    folder = tmp_path_factory.mktemp("plain")
    completed = train(*tiny_overrides, cwd=folder)
    assert completed.returncode == 0, completed.stderr
    return read_metrics(folder / "runs")


@pytest.mark.slow
def test_emulated_bf16_trains(tiny_overrides, tmp_path):
    """oneDNN and ATen are limited to AVX2, as on an older processor."""
    script = tmp_path / "older.py"
    script.write_text(
        "import runpy, sys, torch\n"
        "torch.cpu.get_capabilities = lambda: {'avx2': True, 'avx512_bf16': False}\n"
        "sys.argv[0] = sys.argv.pop(1)\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    older = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    completed = train(
        str(TRAIN), *tiny_overrides, "precision=bf16", cwd=tmp_path, script=script, **older
    )
    assert completed.returncode == 0, completed.stderr
    assert len(read_metrics(tmp_path / "runs")) == 1


@pytest.mark.slow
def test_no_compiler_is_needed(tiny_overrides, tmp_path, plain_run):
    (tmp_path / "bin").mkdir()
    variables = {"CC": "/nonexistent", "CXX": "/nonexistent", "PATH": str(tmp_path / "bin")}
    completed = train(*tiny_overrides, cwd=tmp_path, **variables)
    assert completed.returncode == 0, completed.stderr
    assert read_metrics(tmp_path / "runs") == plain_run


@pytest.mark.slow
@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_unusual_paths_and_working_directories_work(tiny_overrides, tmp_path, plain_run, language):
    cwd = tmp_path / "a folder Ωü (1) 'q' $x"
    cwd.mkdir()
    root = tmp_path / "récords of mine"
    completed = train(
        *tiny_overrides, f"record_root='{root}'", cwd=cwd, LANG=language, LC_ALL=language
    )
    assert completed.returncode == 0, completed.stderr
    assert read_metrics(root) == plain_run
    sweep = train("-m", *tiny_overrides, "seed=0,1", cwd=cwd, LANG=language, LC_ALL=language)
    assert sweep.returncode == 0, sweep.stderr
    assert plain_run.items() <= read_metrics(cwd / "runs").items()


@pytest.mark.slow
def test_read_only_source_tree_trains(tiny_overrides, tmp_path, plain_run):
    """Permissions forbid writing; root ignores them, so for root the tree is mounted read-only."""
    import shutil

    source = TRAIN.parents[1]
    copy = tmp_path / "source"
    for name in ("src", "analysis", "experiments", "conf"):
        shutil.copytree(
            source / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "ledger")
        )
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    (tmp_path / "cwd").mkdir()
    words = [sys.executable, str(copy / "experiments/train.py"), *tiny_overrides]
    if os.geteuid() == 0:
        mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        words = ["unshare", "--mount", "sh", "-c", mount, str(copy), *words]
    variables = os.environ | {"PYTHONPATH": f"{copy / 'src'}:{copy}"}
    completed = subprocess.run(
        words, cwd=tmp_path / "cwd", env=variables, capture_output=True, text=True, check=False
    )
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o755)
    if completed.returncode and ("unshare" in completed.stderr or "mount:" in completed.stderr):
        pytest.skip(f"root cannot mount here: {completed.stderr.strip()}")
    assert completed.returncode == 0, completed.stderr
    assert read_metrics(tmp_path / "cwd/runs") == plain_run
    assert not list(copy.rglob("__pycache__"))


@pytest.mark.slow
def test_clock_that_runs_backwards_changes_no_number(tiny_overrides, tmp_path, plain_run):
    script = tmp_path / "backwards.py"
    script.write_text(
        "import runpy, sys, time, itertools\n"
        "ticks = itertools.count(2e9, -1000)\n"
        "time.time = lambda: next(ticks)\n"
        "sys.argv[0] = sys.argv.pop(1)\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    completed = train(str(TRAIN), *tiny_overrides, cwd=tmp_path, script=script)
    assert completed.returncode == 0, completed.stderr
    assert read_metrics(tmp_path / "runs") == plain_run
    report = TRAIN.with_name("report.py")
    reported = train("--records", "runs", "--name", "x", cwd=tmp_path, script=report)
    assert reported.returncode == 0, reported.stderr
    header, row = (tmp_path / "reports/x/runs.csv").read_text().splitlines()
    assert float(row.split(",")[header.split(",").index("seconds")]) >= 0
