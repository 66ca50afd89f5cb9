"""`import degradation` lists its names, and imports what they need when they are first used."""

import subprocess
import sys

import pytest

import degradation

HEAVY = ("analysis", "pandas", "matplotlib", "torch", "hydra", "numpy")


def run_python(program: str) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_import_is_light():
    program = f"import sys, degradation; dir(degradation); print(*{{*{HEAVY}}} & {{*sys.modules}})"
    assert run_python(program) == "\n"


@pytest.mark.slow
def test_tables_need_neither_torch_nor_matplotlib():
    program = f"""
import sys, degradation
degradation.load_runs, degradation.load_curves, degradation.load_probes
print(*sorted({{*{HEAVY}}} & {{*sys.modules}}))
"""
    assert run_python(program).split() == ["analysis", "hydra", "numpy", "pandas"]


def test_every_listed_name_exists():
    assert dir(degradation) == sorted(degradation.__all__)
    for name in dir(degradation):
        value = getattr(degradation, name)
        assert getattr(value, "__doc__", None), name
        assert getattr(degradation, name) is value


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'degradation' has no attribute 'load_run'"):
        degradation.load_run  # noqa: B018
