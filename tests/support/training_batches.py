"""The training batches of a loader, and their draws by the definition of the random streams."""

from collections.abc import Iterator

import torch
from torch import Tensor

from degradation.config import Config
from degradation.data.augment import draw_offsets
from degradation.data.datasets import Batch
from degradation.data.loaders import Loader
from degradation.data.random_streams import WHOLE, Shard, build_generator


def training_batches(loader: Loader, start: int, shard: Shard = WHOLE) -> Iterator[Batch]:
    """Yield augmented training batches without end, starting at iteration `start`."""
    for inputs in loader.training_inputs(start, shard):
        yield loader.compute_batch(inputs)


def draw_batch_indices(seed: int, iteration: int, batch_size: int, images: int) -> Tensor:
    """Return the images of one training batch: int64 (batch_size,)."""
    positions = range(iteration * batch_size, (iteration + 1) * batch_size)
    orders = {
        epoch: torch.randperm(images, generator=build_generator(seed, "order", epoch)).tolist()
        for epoch in {position // images for position in positions}
    }
    return torch.tensor([orders[position // images][position % images] for position in positions])


def draw_batch_offsets(config: Config, iteration: int) -> Tensor:
    """Return the crops and flips of one training batch: int64 (3, B)."""
    random = build_generator(config.seed, "augmentation", iteration)
    return draw_offsets(config.optim.batch_size, config.data, random)
