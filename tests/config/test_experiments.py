"""Every committed experiment composes, and every network in it can be built."""

import json
import zipfile

import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from degradation.config import CONF
from degradation.data.folders import list_images
from degradation.models.network import Network
from degradation.run_id import compute_run_id, hashed_values
from degradation.sweep.expand import expand_configs
from degradation.sweep.runs import expand_runs

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
# runs per seed
RUNS_PER_SEED = {
    "paper": 10, "quick": 10, "deep": 2, "short": 4, "natural": 8, "shortcuts": 8, "bottleneck": 6,
    "preactivation": 12, "longer": 8, "learning_rate": 16, "construction": 10,
    "imagenet": 8, "imagenet_bottleneck": 3,
    "preactivation_digits": 8, "bottleneck_digits": 4, "convergence": 7,
    "scaled": 10, "optimizer": 12, "width": 16,
}  # fmt: skip
CIFAR_EXPERIMENTS = [
    name
    for name in EXPERIMENTS
    if not name.endswith("_digits") and not name.startswith(("imagenet", "quick", "natural"))
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


def test_natural_is_the_experiment_that_was_fixed_before_its_runs():
    runs = expand_runs(["experiment=natural"])
    assert len(runs) == 24
    assert {run.config.model.depth for run in runs} == {20, 32, 44, 56}
    for run in runs:
        data, schedule = run.config.data, run.config.schedule
        assert (data.name, data.size, data.resize) == ("cifar10", 16, "area")
        assert (data.pad, data.flip, data.margin) == (2, True, 0.5)
        assert (schedule.iterations, schedule.milestones) == (19_200, [9_600, 14_400])
        assert (run.config.optim.lr, schedule.factor, run.config.precision.dtype) == (
            0.1,
            0.1,
            "fp32",
        )


def test_published_runs_on_natural_images_belong_to_the_experiment():
    """They are runs on a folder of images, which is known by its content only."""
    archive = zipfile.ZipFile(CONF.parent / "experiments/ledger/natural/records.zip")
    published = [json.loads(line) for line in archive.read("run.jsonl").splitlines()]
    assert len(published) >= 2
    configs = expand_configs(["experiment=natural", "data=image_folder", "data.root=unread"])
    for row in published:
        content = row["config"]["data"]["content"]
        hashed = {compute_run_id(config, content): config for config in configs}
        assert row["run_id"] in hashed
        assert hashed_values(hashed[row["run_id"]], content) == row["config"]


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
        "natural",
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
