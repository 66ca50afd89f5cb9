"""BN with one value per channel is refused before training, whatever makes it one."""

import numpy as np
import pytest
import torch
from PIL import Image

from degradation.config import ConfigError, smallest_map_side
from degradation.data.datasets import load_dataset
from degradation.models.batchnorm import batchnorm_layers
from degradation.models.network import Network
from degradation.sweep.runs import locate_run
from degradation.training.trainer import Trainer

ON_ONE_PIXEL = ["model=imagenet_residual", "model.width=2", "optim.batch_size=8"]


def make_folder(root, side):
    """Write an image folder of two classes with two images each."""
    for split in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(2):
                pixels = np.full((side, side, 3), 100 * label + number, dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")


def smallest_map(model, side):
    """Return the side of the smallest maps that BN normalises, by a forward pass."""
    sides = []
    network = Network(model, channels=1, classes=2)
    for layer in batchnorm_layers(network):
        layer.register_forward_pre_hook(lambda _, inputs: sides.append(inputs[0].shape[-1]))
    with torch.no_grad():
        network.eval()(torch.zeros(1, 1, side, side))
    return min(sides)


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 9, 31, 32, 33])
@pytest.mark.parametrize(
    "keys",
    [
        {"depth": 8},
        {"depth": 8, "order": "pre", "shortcut": "B"},
        {"depth": 11, "block": "bottleneck"},
        {"depth": 18, "layout": "imagenet"},
    ],
    ids=str,
)
def test_smallest_map_is_that_of_the_network(make_model, keys, side):
    model = make_model(width=1, **keys)
    assert smallest_map_side(model, side) == smallest_map(model, side)


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (["model.bn_parts=8"], "model.bn_parts: 8"),
        (["optim.batch_size=1"], "optim.batch_size: 1"),
        (["model.layout=cifar", "data=image_folder", "data.size=4", "model.depth=8",
          "model.bn_parts=8"], "model.bn_parts: 8"),
        (["data=imagenet", "data.stream.crop=32", "model.bn_parts=8"], "model.bn_parts: 8"),
        (["data=imagenet", "data.stream.crop=32", "data.stream.train_evaluated=1"],
         "data.stream.train_evaluated: 1"),
    ],
)  # fmt: skip
def test_part_of_one_image_on_one_pixel_is_refused(compose_config, tmp_path, overrides, key):
    root = [f"data.root={tmp_path}"] if any(text.startswith("data=") for text in overrides) else []
    config = compose_config(*ON_ONE_PIXEL, *overrides, *root)
    with pytest.raises(ConfigError, match=f"^{key} leaves BN one value per channel: .*; allowed: "):
        locate_run(config)


@pytest.mark.parametrize(("side", "is_refused"), [(4, True), (5, False)])
def test_size_of_a_folders_images_is_considered(compose_config, tmp_path, side, is_refused):
    make_folder(tmp_path, side)
    folder = ["data=image_folder", f"data.root={tmp_path}", "data.pad=0"]
    config = compose_config(*folder, "model.depth=8", "optim.batch_size=4", "model.bn_parts=4")
    if is_refused:
        with pytest.raises(ConfigError, match=r"^model\.bn_parts: 4 leaves BN one value"):
            locate_run(config)
    else:
        assert locate_run(config).run_id


def test_trainer_refuses_what_was_unknown_beforehand(compose_config):
    config = compose_config(*ON_ONE_PIXEL, "model.bn_parts=8")
    with pytest.raises(ConfigError, match=r"^model\.bn_parts: 8 leaves BN one value"):
        Trainer(config, load_dataset(config.data), torch.device("cpu"))


@pytest.mark.parametrize("overrides", [["model.bn_parts=4"], ["model.bn_parts=1"]])
def test_two_images_on_one_pixel_are_trained_on(compose_config, overrides):
    config = compose_config(*ON_ONE_PIXEL, *overrides)
    locate_run(config)
    trainer = Trainer(config, load_dataset(config.data), torch.device("cpu"))
    trainer.step()
    assert trainer.iteration == 1
