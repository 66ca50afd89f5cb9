"""Every committed experiment composes, its grid expands, and each distinct network in it can be built."""

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from degradation.config import CONF
from degradation.data.folders import list_images
from degradation.models.network import Network
from degradation.sweep.jobs import expand_runs

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
# runs a seed
RUNS = {
    "paper": 10, "quick": 10, "deep": 2, "short": 4, "shortcuts": 8, "bottleneck": 6, "preactivation": 12, "longer": 8,
    "learning_rate": 16, "construction": 10, "imagenet": 8, "imagenet_bottleneck": 3,
    "preactivation_digits": 8, "bottleneck_digits": 4, "convergence": 7,
}  # fmt: skip
CLASSES = {"digits": (1, 10), "cifar10": (3, 10), "imagenet": (3, 1000)}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder in ImageNet's form, with two classes."""
    root = tmp_path_factory.mktemp("imagenet")
    for split in ("train", "val"):
        for name in ("n01440764", "n01443537"):
            (root / split / name).mkdir(parents=True)
            Image.new("RGB", (300, 260)).save(root / split / name / "1.JPEG")
    yield root
    list_images.cache_clear()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_every_network_in_it_is_built(pictures, name):
    """And those on CIFAR-10 follow He et al. 2015, 4.2, but for what they are about."""
    large = [f"data.root={pictures}"] if name.startswith("imagenet") else []
    runs = expand_runs([f"experiment={name}", "seed=0", *large])
    assert len(runs) == RUNS.get(name, RUNS[name.removesuffix("_digits")])
    assert {run.config.name for run in runs} == {name}
    data = runs[0].config.data.name
    with torch.device("meta"):
        for run in runs:
            config, (channels, classes) = run.config, CLASSES[data]
            blocks = list(Network(config.model, channels, classes).blocks())
            assert sum(block.layers for block in blocks) + 2 == config.model.depth
            if data != "cifar10":
                continue
            assert (config.optim.momentum, config.optim.weight_decay, config.optim.batch_size) == (
                0.9,
                1e-4,
                128,
            )
            assert (config.model.width, config.data.pad, config.data.flip) == (16, 4, True)
            if name not in ("short", "longer"):
                assert (config.schedule.iterations, config.schedule.milestones) == (
                    64_000,
                    [32_000, 48_000],
                )
            if name != "learning_rate":
                assert config.optim.lr == 0.1


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_the_seeds_that_its_claims_need(name):
    """Three; the paper's own five for its own protocol; twelve where the power needs them. An overlay inherits them."""
    overlay, seeds = name, None
    while seeds is None:
        values = OmegaConf.load(CONF / "experiment" / f"{overlay}.yaml")
        seeds = OmegaConf.select(values, "hydra.sweeper.params.seed")
        overlay = next(iter(values.defaults))
    assert seeds == {"paper": "0,1,2,3,4", "convergence_digits": "0,1,2,3,4,5,6,7,8,9,10,11"}.get(
        name, "0,1,2"
    )


def test_what_is_not_about_cifars_or_imagenets_own_numbers_has_a_digits_version():
    own_numbers = {
        "paper",
        "deep",
        "short",
        "imagenet",
        "imagenet_bottleneck",
        "quick",
        "convergence_digits",
    }
    of_digits = {name for name in EXPERIMENTS if name.endswith("_digits")} - own_numbers
    assert {f"{name}_digits" for name in set(EXPERIMENTS) - own_numbers - of_digits} == of_digits
