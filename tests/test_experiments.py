"""Every committed experiment composes, its grid expands, and each distinct network in it can be built."""

import pytest
import torch
from PIL import Image

from degradation.config import CONF
from degradation.data.content import listing
from degradation.grid import expand
from degradation.models.network import Network

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
RUNS = {
    "paper": 50, "quick": 30, "deep": 6, "short": 12, "shortcuts": 24, "bottleneck": 18, "preactivation": 36,
    "longer": 24, "learning_rate": 48, "construction": 30, "imagenet": 24, "imagenet_bottleneck": 9,
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
    listing.cache_clear()


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_every_network_in_it_is_built(pictures, name):
    large = [f"data.root={pictures}"] if name.startswith("imagenet") else []
    runs = expand([f"experiment={name}", *large])
    assert len(runs) == RUNS[name.removesuffix("_digits")]
    assert {run.config.name for run in runs} == {name}
    assert len({run.run_id for run in runs}) == len(runs)
    models = {repr(run.config.model): run.config.model for run in runs}
    channels, classes = CLASSES[runs[0].config.data.name]
    with torch.device("meta"):
        for model in models.values():
            blocks = list(Network(model, channels, classes).blocks())
            layers = sum(block.layers for block in blocks)
            assert layers + 2 == model.depth


def test_what_is_not_about_cifars_or_imagenets_own_numbers_has_a_digits_version():
    own_numbers = {"paper", "deep", "short", "imagenet", "imagenet_bottleneck", "quick"}
    of_digits = {name for name in EXPERIMENTS if name.endswith("_digits")}
    assert {f"{name}_digits" for name in set(EXPERIMENTS) - own_numbers - of_digits} == of_digits


def test_the_papers_experiments_follow_its_protocol():
    """He et al. 2015, 4.2."""
    for name in ("paper", "deep", "shortcuts", "bottleneck", "preactivation", "construction"):
        for run in expand([f"experiment={name}"]):
            config = run.config
            assert (config.optim.lr, config.optim.momentum, config.optim.weight_decay) == (0.1, 0.9, 1e-4)
            assert (config.optim.batch_size, config.model.width, config.data.pad) == (128, 16, 4)
            assert (config.schedule.iterations, config.schedule.milestones) == (64_000, [32_000, 48_000])
