"""ImageNet, read from disk for every batch (He et al. 2015, 3.4).

Each picture's randomness is a function of the seed, the iteration and its place in the batch, so neither the number of
reading processes nor an interruption changes a bit.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import count
from os import fsdecode
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as v2

from degradation.config import Config, ConfigError, Data, Stream
from degradation.data.datasets import draw_held_out
from degradation.data.errors import DataError
from degradation.data.fingerprint import Listing, folder_root, listing
from degradation.data.image_folder import rgb_picture
from degradation.data.random_streams import (
    WHOLE,
    Shard,
    build_generator,
    shuffle_into_batches,
    spread_indices,
)

EVALUATION_BATCH = 64
# of pictures in [0, 1], by red, green, blue: as torchvision's reference training
MEAN, DEVIATION = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
# principal components of ImageNet's colours in [0, 1], as in fb.resnet.torch: a variance a column of directions
COLOUR_VARIANCES = torch.tensor([0.2175, 0.0188, 0.0045])
COLOUR_DIRECTIONS = torch.tensor(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)
NO_COLOUR = torch.zeros(3)

Key = tuple[int, int]  # which picture of a split, and the index of its randomness
# a picture and the index of its randomness -> uint8 ([10,] 3, crop, crop), and float32 (3,) to be added to its colours
View = Callable[[Image.Image, int], tuple[Tensor, Tensor]]
Parts = tuple[Tensor, Tensor, Tensor]  # of a batch: pictures, colours, labels


@dataclass(frozen=True)
class ImageNet:
    """ROOT/train/<class>/ and ROOT/val/<class>/; the latter is the test set."""

    root: Path
    stream: Stream
    train: Listing
    test: Listing
    digest: str
    validation: Listing | None = None  # training images that are held out

    @property
    def classes(self) -> int:
        return int(self.train.labels[-1]) + 1

    @property
    def channels(self) -> int:
        return 3

    @property
    def side(self) -> int:
        return self.stream.crop

    def checksum(self) -> str:
        """Of the names and sizes of all pictures."""
        return self.digest


def open_imagenet(data: Data) -> ImageNet:
    """List the pictures; none is read. Raises ConfigError."""
    if data.stream is None:
        raise ConfigError("data.stream: null is not allowed for data.name=imagenet")
    root = folder_root(data)
    train, test, digest = listing(root)
    if data.validation == 0:
        return ImageNet(root, data.stream, train, test, digest)
    held_out = draw_held_out(data.validation, len(train)).numpy()
    return ImageNet(root, data.stream, train.where(~held_out), test, digest, train.where(held_out))


class StreamingLoader:
    """Normalised float32 (B, 3, crop, crop) and int64 (B,) on a device. Batches raise DataError (a broken picture)."""

    def __init__(self, source: ImageNet, config: Config, device: torch.device) -> None:
        self.source, self.config, self.device = source, config, device
        self.splits = {"train": source.train, "test": source.test}
        if source.validation is not None:
            self.splits["validation"] = source.validation
        self.sizes = {name: len(split) for name, split in self.splits.items()}
        # the training pictures that are measured are spread evenly over the listing, so that all classes occur
        evaluated = self.sizes | {"train": min(source.stream.train_evaluated, self.sizes["train"])}
        self.measured = {
            name: spread_indices(count, self.sizes[name]) for name, count in evaluated.items()
        }

    def training_batches(self, start: int, share: Shard = WHOLE) -> Iterator[tuple[Tensor, Tensor]]:
        """Training batches, augmented, from iteration `start` on, without an end; or a share of each of them."""
        seed, size = self.config.seed, self.config.optim.batch_size

        def keys() -> Iterator[list[Key]]:
            for iteration in count(start):
                index = batch_of_order(seed, iteration, size, self.sizes["train"])
                draws = torch.arange(iteration * size, (iteration + 1) * size)
                yield list(
                    zip(share.select(index).tolist(), share.select(draws).tolist(), strict=True)
                )

        return self._read("train", self._augmentation("augmentation"), keys())

    def clean_batches(self, split: str, share: Shard = WHOLE) -> Iterator[tuple[Tensor, Tensor]]:
        """Un-augmented: the centre of the test pictures, or of `stream.train_evaluated` training pictures."""
        return self._read(
            split,
            partial(centre_view, self.source.stream),
            self._keys(self.measured[split], 0, share),
        )

    def sample_batches(self, split: str, pictures: int | None) -> Iterator[tuple[Tensor, Tensor]]:
        """So many of the pictures of `clean`, spread evenly over them."""
        index = self.measured[split][spread_indices(pictures, len(self.measured[split]))]
        return self._read(split, partial(centre_view, self.source.stream), self._keys(index))

    def shuffled_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The training images of `clean`, each batch a fair sample of all of them."""
        measured = self.measured["train"]
        batches = shuffle_into_batches(len(measured), EVALUATION_BATCH)
        keys = ([(index, 0) for index in measured[batch].tolist()] for batch in batches)
        return self._read("train", partial(centre_view, self.source.stream), keys)

    def augmented_batches(
        self, iteration: int, share: Shard = WHOLE
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """The training pictures of `clean`, augmented as in training."""
        index = self.measured["train"]
        keys = self._keys(index, iteration * len(index), share)
        return self._read("train", self._augmentation("evaluation"), keys)

    def ten_crop_batches(self, share: Shard = WHOLE) -> Iterator[tuple[Tensor, Tensor]] | None:
        """The test pictures as float32 (B, 10, 3, crop, crop); None where `stream.ten_crop` is off."""
        if not self.source.stream.ten_crop:
            return None
        return self._read(
            "test",
            partial(ten_views, self.source.stream),
            self._keys(self.measured["test"], 0, share),
        )

    def _augmentation(self, name: str) -> View:
        return partial(
            augmented_view, self.source.stream, self.config.data.flip, self.config.seed, name
        )

    def _keys(self, index: Tensor, first: int = 0, share: Shard = WHOLE) -> Iterator[list[Key]]:
        for number, start in enumerate(range(0, len(index), EVALUATION_BATCH)):
            if share.has_batch(number):
                yield list(
                    zip(index[start : start + EVALUATION_BATCH].tolist(), count(first + start))
                )

    def _read(
        self, split: str, view: View, keys: Iterable[list[Key]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        loader = DataLoader(
            _Reader(self.source.root, self.splits[split], view),
            batch_sampler=keys,
            num_workers=self.source.stream.workers,
            collate_fn=_as_it_is,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # the workers' seeds are drawn and unused: not from the global stream
        )
        for batch in loader:
            if isinstance(batch, DataError):
                raise batch
            pictures, colours, labels = (part.to(self.device, non_blocking=True) for part in batch)
            values = v2.to_dtype(pictures, torch.float32, scale=True)
            crops = [1] * (values.ndim - 4)
            values = values + colours.view(len(colours), *crops, 3, 1, 1)
            yield v2.normalize(values, MEAN, DEVIATION), labels


class _Reader(Dataset[Parts | DataError]):
    """Reads in the processes of a DataLoader, a batch at a time."""

    def __init__(self, root: Path, listed: Listing, view: View) -> None:
        self.root, self.listed, self.view = root, listed, view

    def __getitems__(self, keys: list[Key]) -> Parts | DataError:
        # an error is handed over as a value: one that is raised arrives as the text of a traceback
        try:
            views = [
                self.view(rgb_picture(self.root / fsdecode(self.listed.names[i])), draw)
                for i, draw in keys
            ]
        except DataError as error:
            return error
        pictures, colours = (torch.stack(parts) for parts in zip(*views, strict=True))
        return pictures, colours, torch.from_numpy(self.listed.labels[[i for i, _ in keys]])


def _as_it_is(batch: Any) -> Any:
    return batch


def augmented_view(
    stream: Stream, flip: bool, seed: int, name: str, picture: Image.Image, draw: int
) -> tuple[Tensor, Tensor]:
    """A scale, a crop, a flip and a shift of the colours (Krizhevsky et al. 2012, 4.1), of its own for each `draw`."""
    random = build_generator(seed, name, draw)

    def draw_from(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=random))

    side = stream.crop
    scaled = v2.resize(picture, [draw_from(*stream.scale)])
    width, height = scaled.size
    top, left, mirrored = draw_from(0, height - side), draw_from(0, width - side), draw_from(0, 1)
    shift = torch.randn(3, generator=random) * stream.colour * COLOUR_VARIANCES
    crop = v2.crop(scaled, top, left, side, side)
    if flip and mirrored:
        crop = v2.horizontal_flip(crop)
    return v2.pil_to_tensor(crop), (COLOUR_DIRECTIONS * shift).sum(1)


def centre_view(stream: Stream, picture: Image.Image, _draw: int) -> tuple[Tensor, Tensor]:
    centre = v2.center_crop(v2.resize(picture, [stream.test_scale]), [stream.crop])
    return v2.pil_to_tensor(centre), NO_COLOUR


def ten_views(stream: Stream, picture: Image.Image, _draw: int) -> tuple[Tensor, Tensor]:
    """Four corners and the centre, and their mirror images."""
    crops = v2.ten_crop(v2.resize(picture, [stream.test_scale]), [stream.crop])
    return torch.stack([v2.pil_to_tensor(crop) for crop in crops]), NO_COLOUR


def batch_of_order(seed: int, iteration: int, batch_size: int, pictures: int) -> Tensor:
    """`streams.draw_batch_indices`, with the order of an epoch drawn once and not for every batch."""
    places = torch.arange(iteration * batch_size, (iteration + 1) * batch_size)
    epochs = places // pictures
    parts = [
        _order(seed, pictures, epoch)[places[epochs == epoch] % pictures]
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1)
    ]
    return torch.cat(parts)


@lru_cache(maxsize=1)
def _order(seed: int, pictures: int, epoch: int) -> Tensor:
    return torch.randperm(pictures, generator=build_generator(seed, "order", epoch))
