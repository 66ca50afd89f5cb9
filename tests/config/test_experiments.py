"""Every committed experiment composes, and every network in it can be built."""

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from degradation.config import CONF
from degradation.data.folders import list_images
from degradation.models.network import Network
from degradation.sweep.runs import expand_runs

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
# runs per seed
RUNS_PER_SEED = {
    "paper": 10, "quick": 10, "deep": 2, "short": 4, "shortcuts": 8, "bottleneck": 6,
    "preactivation": 12, "longer": 8, "learning_rate": 16, "construction": 10,
    "imagenet": 8, "imagenet_bottleneck": 3,
    "preactivation_digits": 8, "bottleneck_digits": 4, "convergence": 7,
    "scaled": 10, "optimizer": 12, "width": 16,
}  # fmt: skip
CIFAR_EXPERIMENTS = [
    name
    for name in EXPERIMENTS
    if not name.endswith("_digits") and not name.startswith(("imagenet", "quick"))
]
# channels and classes of the images
CLASSES = {"digits": (1, 10), "cifar10": (3, 10), "imagenet": (3, 1000)}


@pytest.fixture(scope="module")
def imagenet_root(tmp_path_factory):
    """A folder in ImageNet's layout, with two classes."""
    root = tmp_path_factory.mktemp("imagenet")
    for split in ("train", "val"):
        for name in ("n01440764", "n01443537"):
            (root / split / name).mkdir(parents=True)
            Image.new("RGB", (300, 260)).save(root / split / name / "1.JPEG")
    yield root
    list_images.cache_clear()


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_composes_and_networks_are_built(imagenet_root, name):
    root = [f"data.root={imagenet_root}"] if name.startswith("imagenet") else []
    runs = expand_runs([f"experiment={name}", "seed=0", *root])
    expected = RUNS_PER_SEED.get(name, RUNS_PER_SEED[name.removesuffix("_digits")])
    assert len(runs) == expected
    assert {run.config.name for run in runs} == {name}
    channels, classes = CLASSES[runs[0].config.data.name]
    with torch.device("meta"):
        for run in runs:
            network = Network(run.config.model, channels, classes)
            layers = sum(block.layers for block in network.blocks()) + 2
            assert layers == run.config.model.depth


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[pytest.mark.slow] * (name not in ("paper", "shortcuts", "longer"))
        )
        for name in CIFAR_EXPERIMENTS
    ],
)
def test_cifar_experiment_follows_the_papers_protocol(name):
    """He et al. 2015, section 4.2, except for the keys that the experiment is about."""
    for run in expand_runs([f"experiment={name}", "seed=0"]):
        config = run.config
        assert config.data.name == "cifar10"
        optim = config.optim
        assert (optim.momentum, optim.weight_decay, optim.batch_size) == (0.9, 1e-4, 128)
        assert (config.model.width, config.data.pad, config.data.flip) == (16, 4, True)
        if name not in ("short", "longer"):
            assert config.schedule.iterations == 64_000
            assert config.schedule.milestones == [32_000, 48_000]
        if name != "learning_rate":
            assert optim.lr == 0.1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_has_the_seeds_that_its_claims_need(name):
    """Three; five for the paper's own protocol; twelve where the power needs them.

    An overlay inherits them from the one that it extends.
    """
    overlay, seeds = name, None
    while seeds is None:
        values = OmegaConf.load(CONF / "experiment" / f"{overlay}.yaml")
        seeds = OmegaConf.select(values, "hydra.sweeper.params.seed")
        overlay = next(iter(values.defaults))
    more_seeds = {"paper": "0,1,2,3,4", "convergence_digits": "0,1,2,3,4,5,6,7,8,9,10,11"}
    assert seeds == more_seeds.get(name, "0,1,2")


def test_every_general_experiment_has_a_digits_version():
    """Except those about the numbers of CIFAR-10 or ImageNet themselves, and those on digits."""
    specific = {
        "paper",
        "deep",
        "short",
        "imagenet",
        "imagenet_bottleneck",
        "quick",
        "convergence_digits",
        "scaled_digits",
        "optimizer_digits",
        "width_digits",
    }
    on_digits = {name for name in EXPERIMENTS if name.endswith("_digits")} - specific
    general = set(EXPERIMENTS) - specific - on_digits
    assert {f"{name}_digits" for name in general} == on_digits
