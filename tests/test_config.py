"""The schema refuses what makes no sense, in one line that names the key."""

import subprocess
import sys

import pytest

from degradation.config import CONF, ConfigError, family, warmup_of

ROOT = CONF.parent
BAD = [
    ("model.depth=21", "model.depth"),
    ("model.depth=2", "model.depth"),
    ("model.shortcut=D", "model.shortcut"),
    ("model.block=wide", "model.block"),
    ("model.width=0", "model.width"),
    ("optim.batch_size=0", "optim.batch_size"),
    ("optim.lr=0", "optim.lr"),
    ("optim.lr=nan", "optim.lr"),
    ("optim.lr=inf", "optim.lr"),
    ("optim.momentum=1", "optim.momentum"),
    ("optim.weight_decay=-1", "optim.weight_decay"),
    ("schedule.iterations=0", "schedule.iterations"),
    ("schedule.evaluate_every=0", "schedule.evaluate_every"),
    ("schedule.factor=0", "schedule.factor"),
    ("schedule.milestones=[200,400]", "schedule.milestones"),
    ("schedule.milestones=[300,200]", "schedule.milestones"),
    ("schedule.milestones=[0]", "schedule.milestones"),
    ("schedule.snapshots=[400]", "schedule.snapshots"),
    ("schedule.snapshots=[-1]", "schedule.snapshots"),
    ("seed=-1", "seed"),
    ("threads=0", "threads"),
    ("device=tpu", "device"),
    ("precision.dtype=fp16", "precision.dtype"),
    ("tracking.mode=cloud", "tracking.mode"),
    ("tracking.init_timeout=0", "tracking.init_timeout"),
    ("tracking.project=a/b", "tracking.project"),
    ("name=../x", "name"),
    ("data.name=mnist", "data.name"),
    ("data.normalisation=imagenet", "data.normalisation"),
    ("data.pad=-1", "data.pad"),
    ("data.size=0", "data.size"),
    ("data.margin=-1", "data.margin"),
    ("data.normalise=never", "data.normalise"),
    ("data.validation=-1", "data.validation"),
    ("data=imagenet data.root=x data.stream=null", "data.stream"),
    ("data=imagenet data.root=x data.stream.scale=[200,480]", "data.stream.scale"),
    ("data=imagenet data.root=x data.stream.scale=[480,256]", "data.stream.scale"),
    ("data=imagenet data.root=x data.stream.test_scale=200", "data.stream.test_scale"),
    ("data=imagenet data.root=x data.stream.workers=-1", "data.stream.workers"),
    ("data=imagenet data.root=x data.normalisation=pixel", "data.normalisation"),
    ("data=imagenet data.root=x data.validation=5", "data.validation"),
    ("model.order=both", "model.order"),
    ("probes.training=[gradients]", "probes.training"),
    ("probes.training=[responses,responses]", "probes.training"),
    ("probes.afterwards=[landscape]", "probes.afterwards"),
    ("probes.early=0", "probes.early"),
    ("probes.batch_size=1", "probes.batch_size"),
    ("landscape.line=4", "landscape.line"),
    ("landscape.square=1", "landscape.square"),
    ("landscape.reach=0", "landscape.reach"),
    ("landscape.pictures=0", "landscape.pictures"),
    ("landscape.seed=-1", "landscape.seed"),
    ("landscape.parts=0", "landscape.parts"),
    ("landscape.part=8", "landscape.part"),
    ("model.new_channels=before", "model.new_channels"),
    ("model.bottleneck_stride=2x2", "model.bottleneck_stride"),
    ("model.initialisation=zero", "model.initialisation"),
    ("model.bn_statistics=none", "model.bn_statistics"),
    ("model.bn_parts=3", "model.bn_parts"),
    ("model.layout=resnext", "model.layout"),
    ("model=imagenet_residual model.depth=50", "model.depth"),
    ("model=imagenet_residual model.block=bottleneck", "model.depth"),
    ("model=constructed model.depth=14", "model.grown_from"),
    ("model=constructed model.depth=56 model.grown_from=21", "model.grown_from"),
    ("model=constructed model.depth=56 model.shortcut=A", "model.grown_from"),
    ("model=constructed model.depth=56 model.order=pre", "model.grown_from"),
    ("optim.momentum_form=nesterov", "optim.momentum_form"),
    ("optim.decay=none", "optim.decay"),
    ("schedule=imagenet schedule.plateau.patience=0", "schedule.plateau.patience"),
    ("training_error=best", "training_error"),
]


@pytest.mark.parametrize(("override", "key"), BAD)
def test_a_bad_value_is_refused_with_its_key(compose_config, override, key):
    with pytest.raises(ConfigError) as refusal:
        compose_config(*override.split())
    message = str(refusal.value)
    assert message.startswith(f"{key}: ")
    assert "allowed: " in message
    assert "\n" not in message


def test_bottlenecks_come_in_nines(compose_config):
    with pytest.raises(
        ConfigError, match=r"^model\.depth: 32 .*allowed: 9n\+2 with bottleneck blocks, such as 11, 29,"
    ):
        compose_config("model.block=bottleneck", "model.depth=32")
    assert compose_config("model.block=bottleneck", "model.depth=29").model.depth == 29


def test_a_warm_up_must_end_before_the_first_drop(compose_config):
    with pytest.raises(ConfigError, match=r"^schedule\.warmup\.max_iterations: "):
        compose_config("schedule=paper", "model.depth=110", "schedule.warmup.max_iterations=40000")


def test_a_warm_up_needs_one_of_its_two_ends(compose_config):
    with pytest.raises(ConfigError, match=r"^schedule\.warmup\.\w+: None is not allowed"):
        compose_config("schedule=paper", "schedule.warmup.below=null", "schedule.warmup.max_iterations=null")


@pytest.mark.parametrize(("key", "value"), [("lr", "0"), ("lr", "inf"), ("below", "-1"), ("window", "0")])
def test_a_warm_up_has_positive_numbers(compose_config, key, value):
    with pytest.raises(ConfigError, match=rf"^schedule\.warmup\.{key}: "):
        compose_config("schedule=paper", "model.depth=110", f"schedule.warmup.{key}={value}")


def test_only_deep_networks_have_the_papers_warm_up(compose_config):
    assert warmup_of(compose_config("schedule=paper", "model.depth=56")) is None
    assert warmup_of(compose_config("schedule=paper", "model.depth=110")).lr == 0.01


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
    assert done.returncode != 0
    assert "model.dpth" in done.stderr
    assert "Traceback" not in done.stderr
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
        [sys.executable, "-c", code, *question.split("=")], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert len(asked.stdout.splitlines()) > 20
    assert asked.stdout.splitlines()[-1] == "imported: []"
