"""Rules between keys, the schema's help texts, and the options that only print.

Bad values of single keys are in robustness/test_bad_input.py.
"""

import subprocess
import sys
from dataclasses import asdict

import pytest

from degradation.config import CONF, ConfigError, effective_warmup, family
from degradation.config.overrides import list_options
from degradation.config.schema import KEYS

ROOT = CONF.parent


def test_every_key_has_a_help_text():
    without = [name for name, key in KEYS.items() if not key.help_text]
    assert without == []


def test_rules_are_read_from_the_fields():
    assert KEYS["model.depth"].allowed == "a whole number, 1 to 100000"
    assert KEYS["model.grown_from"].allowed == "null, or a whole number, 8 to 100000"
    assert KEYS["data.flip"].allowed == "true or false"
    assert KEYS["precision.dtype"].allowed == "fp32, tf32, bf16"


def test_bottleneck_depths_are_9n_plus_2(compose_config):
    message = r"^model\.depth: 32 .*allowed: 9n\+2 with bottleneck blocks, such as 11, 29,"
    with pytest.raises(ConfigError, match=message):
        compose_config("model.block=bottleneck", "model.depth=32")
    assert compose_config("model.block=bottleneck", "model.depth=29").model.depth == 29


def test_warmup_must_end_before_the_first_drop(compose_config):
    with pytest.raises(ConfigError, match=r"^schedule\.warmup\.max_iterations: "):
        compose_config("schedule=paper", "model.depth=110", "schedule.warmup.max_iterations=40000")


def test_warmup_needs_an_end_condition(compose_config):
    with pytest.raises(
        ConfigError, match=r"^schedule\.warmup\.max_iterations: null is not allowed"
    ):
        compose_config(
            "schedule=paper", "schedule.warmup.below=null", "schedule.warmup.max_iterations=null"
        )


def test_only_deep_networks_have_the_papers_warmup(compose_config):
    assert effective_warmup(compose_config("schedule=paper", "model.depth=56")) is None
    assert effective_warmup(compose_config("schedule=paper", "model.depth=110")).lr == 0.01


def test_plain_and_residual_differ_in_one_key(compose_config):
    plain, residual = compose_config("model=plain"), compose_config("model=residual")
    assert (family(plain.model), family(residual.model)) == ("plain", "residual")
    plain.model.shortcut = residual.model.shortcut
    assert plain == residual


def test_unknown_key_is_rejected_and_nothing_is_written(tmp_path):
    completed = subprocess.run(
        [sys.executable, str(ROOT / "experiments/train.py"), "model.dpth=3"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert completed.returncode == 1
    assert completed.stderr.startswith("model.dpth: no such key")
    assert len(completed.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("option", ["--help", "--cfg=job", "--info=defaults"])
def test_options_that_print_import_neither_torch_nor_wandb(option):
    code = (
        "import atexit, runpy, sys\n"
        "heavy = {'torch', 'torchvision', 'wandb', 'sklearn', 'pandas'}\n"
        "atexit.register(lambda: print('imported:', sorted(heavy & set(sys.modules))))\n"
        "runpy.run_path('experiments/train.py', run_name='__main__')\n"
    )
    completed = subprocess.run(
        [sys.executable, "-c", code, *option.split("=")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert len(completed.stdout.splitlines()) > 20
    assert completed.stdout.splitlines()[-1] == "imported: []"


def test_schema_holds_every_composed_key(compose_config):
    config = compose_config("schedule=imagenet", "data=imagenet", "data.root=/")
    names = list(flatten(asdict(config)))
    assert len(names) > 50
    assert set(names) <= set(KEYS)


def flatten(values, prefix=""):
    """Yield the dotted names of nested values."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_file_of_shared_values_is_no_option(compose_config):
    assert "_resident" not in list_options("data")
    with pytest.raises(
        ConfigError, match=r"^data: '\w+' is not allowed; allowed: cifar10, (?!.*res)"
    ):
        compose_config("data=resident")
