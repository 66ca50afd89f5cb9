"""The reference loop trains on the configuration's images by the plain recipe."""

import pytest
import torch
from PIL import Image

from benchmarks import reference_loop
from benchmarks.images import build_random_images, load_images
from benchmarks.reference_loop import ImageList, ReferenceLoop, build_transform

CPU = torch.device("cpu")


def test_each_epoch_has_every_image_once(tiny, monkeypatch):
    monkeypatch.setattr(reference_loop, "WORKERS", 0)
    config = tiny("data=digits", "optim.batch_size=400")
    loop = ReferenceLoop(config, load_images(config.data), CPU)
    assert [loop.advance(1) for _ in range(5)] == [400, 400, 400, 300, 400]
    assert loop.running_loss > 0


def test_an_update_is_that_of_sgd_with_momentum(tiny, monkeypatch):
    monkeypatch.setattr(reference_loop, "WORKERS", 0)
    config = tiny("data=digits", "optim.lr=0.5")
    loop = ReferenceLoop(config, load_images(config.data), CPU)
    before = loop.network.linear.bias.detach().clone()
    loop.advance(1)
    gradient = loop.network.linear.bias.grad + 1e-4 * before
    torch.testing.assert_close(loop.network.linear.bias.detach(), before - 0.5 * gradient)
    (group,) = loop.optimizer.param_groups
    assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.9, 1e-4, False)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_images_are_transformed_from_pil(channels, mode):
    split = build_random_images(channels, 6, 4, train=5, test=1).train
    seen = []

    def transform(image):
        seen.append(image)
        return image

    images = ImageList(split, transform)
    image, label = images[3]
    assert isinstance(image, Image.Image)
    assert seen[0].mode == mode
    assert label == split.labels[3]
    pixel = image.getpixel((2, 1))  # column, row
    assert torch.tensor(pixel).flatten().tolist() == split.images[3, :, 1, 2].tolist()


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("cifar10", ["RandomCrop", "RandomHorizontalFlip", "ToTensor", "Normalize"]),
        ("digits", ["RandomCrop", "ToTensor", "Normalize"]),
    ],
)
def test_augmentation_is_that_of_the_configuration(compose_config, name, steps):
    config = compose_config(f"data={name}")
    dataset = build_random_images(3, 8, 10, train=50, test=1)
    transform = build_transform(config, dataset)
    assert [type(step).__name__ for step in transform.transforms] == steps
    assert transform.transforms[0].padding == config.data.pad
    pixels = dataset.train.images.float() / 255
    normalised = transform.transforms[-1](pixels)
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    deviation = normalised.std((0, 2, 3), correction=0)
    torch.testing.assert_close(deviation, torch.ones(3), atol=1e-4, rtol=0)
