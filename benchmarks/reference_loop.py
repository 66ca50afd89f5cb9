"""The reference loop: the plain PyTorch recipe that most people would write.

One process; a DataLoader with worker processes; torchvision's transforms on PIL images; fp32 with
PyTorch's own settings (on a CUDA GPU, cuDNN may then compute convolutions in TF32); the loss is
read at every iteration.
"""

import warnings
from collections.abc import Iterator

import torch
from PIL import Image
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader
from torchvision import transforms

from benchmarks.reference_network import ResNet
from degradation.config import Config
from degradation.data.augment import compute_statistics
from degradation.data.datasets import Dataset, Split

WORKERS = 4

TransformedImages = torch.utils.data.Dataset[tuple[Tensor, int]]


class ImageList(TransformedImages):
    """Images in memory, which it returns as torchvision's CIFAR10 does: PIL, then transformed.

    Args:
        split: uint8 images (N, C, H, W) with 1 or 3 channels, and labels.
        transform: from a PIL image to a tensor (C, H, W).
    """

    def __init__(self, split: Split, transform: transforms.Compose) -> None:
        images = split.images.permute(0, 2, 3, 1).contiguous().numpy()  # (N, H, W, C)
        self.data = images[..., 0] if images.shape[-1] == 1 else images
        self.targets: list[int] = split.labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.data[index])
        return self.transform(image), self.targets[index]


class ReferenceLoop:
    """The recipe for the network, the images and the batch size of a configuration.

    The configuration is one that `benchmarks.networks.check_reference` accepts.
    """

    def __init__(self, config: Config, dataset: Dataset, device: torch.device) -> None:
        self.device = device
        # PyTorch advises against more workers than cores, but the recipe has them
        warnings.filterwarnings("ignore", "This DataLoader will create")
        self.network = build_reference_network(config, dataset).to(device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = optim.SGD(
            self.network.parameters(), lr=config.optim.lr, momentum=0.9, weight_decay=1e-4
        )
        self.loader = DataLoader(
            ImageList(dataset.train, build_transform(config, dataset)),
            batch_size=config.optim.batch_size,
            shuffle=True,
            num_workers=WORKERS,
            pin_memory=device.type == "cuda",
        )
        self.batches = self._iterate_epochs()
        self.running_loss = 0.0

    def _iterate_epochs(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader

    def advance(self, iterations: int) -> int:
        """Train for some iterations, and return the number of images that they had."""
        self.network.train()
        trained = 0
        for _ in range(iterations):
            images, labels = next(self.batches)
            images, labels = images.to(self.device), labels.to(self.device)
            self.optimizer.zero_grad()
            outputs = self.network(images)
            loss = self.criterion(outputs, labels)
            loss.backward()
            self.optimizer.step()
            self.running_loss += loss.item()
            trained += len(labels)
        return trained


def build_reference_network(config: Config, dataset: Dataset) -> ResNet:
    model = config.model
    return ResNet(
        model.depth, model.width, dataset.channels, dataset.classes, model.shortcut != "none"
    )


def build_transform(config: Config, dataset: Dataset) -> transforms.Compose:
    """Return the usual augmentation, with the padding and the flip of the configuration."""
    mean, deviation = compute_statistics(dataset.train.images, "channel")  # of values up to 255
    steps = [transforms.RandomCrop(dataset.side, padding=config.data.pad)]
    if config.data.flip:
        steps.append(transforms.RandomHorizontalFlip())
    steps.append(transforms.ToTensor())
    steps.append(transforms.Normalize(mean.flatten() / 255, deviation.flatten() / 255))
    return transforms.Compose(steps)
