"""Configurations whose keys depend on each other, and questions to Hydra; bad values are in test_bad_input."""

import subprocess
import sys

import pytest

from degradation.config import CONF, ConfigError, effective_warmup, family

ROOT = CONF.parent


def test_bottlenecks_come_in_nines(compose_config):
    with pytest.raises(
        ConfigError,
        match=r"^model\.depth: 32 .*allowed: 9n\+2 with bottleneck blocks, such as 11, 29,",
    ):
        compose_config("model.block=bottleneck", "model.depth=32")
    assert compose_config("model.block=bottleneck", "model.depth=29").model.depth == 29


def test_a_warm_up_must_end_before_the_first_drop(compose_config):
    with pytest.raises(ConfigError, match=r"^schedule\.warmup\.max_iterations: "):
        compose_config("schedule=paper", "model.depth=110", "schedule.warmup.max_iterations=40000")


def test_a_warm_up_needs_one_of_its_two_ends(compose_config):
    with pytest.raises(
        ConfigError, match=r"^schedule\.warmup\.max_iterations: None is not allowed"
    ):
        compose_config(
            "schedule=paper", "schedule.warmup.below=null", "schedule.warmup.max_iterations=null"
        )


def test_only_deep_networks_have_the_papers_warm_up(compose_config):
    assert effective_warmup(compose_config("schedule=paper", "model.depth=56")) is None
    assert effective_warmup(compose_config("schedule=paper", "model.depth=110")).lr == 0.01


def test_plain_and_residual_differ_in_one_key(compose_config):
    plain, residual = compose_config("model=plain"), compose_config("model=residual")
    assert (family(plain.model), family(residual.model)) == ("plain", "residual")
    plain.model.shortcut = residual.model.shortcut
    assert plain == residual


def test_an_unknown_key_is_refused_and_nothing_is_written(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "experiments/train.py"), "model.dpth=3"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("model.dpth: no such key")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("question", ["--help", "--cfg=job", "--info=defaults"])
def test_questions_are_answered_without_importing_torch_or_wandb(question):
    code = (
        "import atexit, runpy, sys\n"
        "heavy = {'torch', 'torchvision', 'wandb', 'sklearn', 'pandas'}\n"
        "atexit.register(lambda: print('imported:', sorted(heavy & set(sys.modules))))\n"
        "runpy.run_path('experiments/train.py', run_name='__main__')\n"
    )
    asked = subprocess.run(
        [sys.executable, "-c", code, *question.split("=")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert len(asked.stdout.splitlines()) > 20
    assert asked.stdout.splitlines()[-1] == "imported: []"
