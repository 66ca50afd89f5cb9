"""Lesions (Veit et al. 2016): the error of a trained network with blocks deleted or swapped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from degradation.models.blocks import Block
from degradation.models.error_counts import count_errors
from degradation.models.network import Network
from degradation.probes.block_gradients import list_stages
from degradation.probes.table import Table, to_table
from degradation.registry import PROBES

REPEATS = 5  # random sets per number of blocks
NUMBERS = 8  # how many numbers of deleted blocks, or of swaps, are measured at most
LESION_BATCH = 250  # images

Layer = Callable[[Tensor], Tensor]


@PROBES.register(
    "lesions",
    at=("end",),
    split="test",
    needs_shortcuts=False,
    columns={
        "kind": ("none", "delete", "swap"),
        "number": "count",
        "repeat": "count",
        "block": "count or null",
        "error": "percent",
    },
)
def measure_lesions(
    network: Network,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    repeats: int = REPEATS,
) -> Table:
    """Measure the error of the network with blocks deleted or swapped, in eval mode.

    First, each block is deleted alone. Then random sets of blocks are deleted, and random pairs of
    blocks of the same stage are swapped, `repeats` times per number of deletions or swaps. These
    sets and pairs contain only blocks that preserve the shape of their input. A deleted block is
    replaced by its shortcut, or in a plain network by the identity, so a plain block that changes
    the shape cannot be deleted.

    Args:
        images: float (N, C, H, W), normalised.
        labels: int64 (N,).

    Returns:
        One row per lesion. `kind`: none, delete or swap. `number`: how many blocks were deleted, or
        how many swaps were made. `repeat`: counted from 0. `block`: the block, counted from 0, that
        was deleted alone, otherwise None. `error`: in percent.
    """
    was_training = network.training
    network.eval()
    rows = []
    for lesion in _list_lesions(network, generator, repeats):
        error = _measure_error(network, lesion.layers, images, labels)
        row = {"kind": lesion.kind, "number": lesion.number, "repeat": lesion.repeat}
        rows.append(row | {"block": lesion.block, "error": error})
    network.train(was_training)
    return to_table(rows)


@dataclass(frozen=True)
class Lesion:
    """A lesioned network. The other fields are columns of the table."""

    kind: str
    number: int
    repeat: int
    layers: Sequence[Layer]  # what the network applies between its stem and its head
    block: int | None = None


def _list_lesions(network: Network, generator: torch.Generator, repeats: int) -> Iterator[Lesion]:
    """Yield all lesions, in the order of the table."""
    blocks = list(network.blocks())
    movable = [number for number, block in enumerate(blocks) if block.keeps_shape]
    yield Lesion("none", 0, 0, blocks)
    for number, block in enumerate(blocks):
        if block.residual or block.keeps_shape:
            yield Lesion("delete", 1, 0, _delete(blocks, {number}), number)
    for number in _spread_numbers(2, len(movable)):
        for repeat in range(repeats):
            indices = torch.randperm(len(movable), generator=generator)[:number].tolist()
            deleted = {movable[index] for index in indices}
            yield Lesion("delete", number, repeat, _delete(blocks, deleted))
    partners = _find_partners(network, movable)
    for number in _spread_numbers(1, len(partners)):
        for repeat in range(repeats):
            layers = _swap(blocks, partners, number, generator)
            yield Lesion("swap", number, repeat, layers)


def _spread_numbers(smallest: int, largest: int) -> list[int]:
    """Return at most NUMBERS integers, spread evenly over the range including both ends."""
    if largest < smallest:
        return []
    numbers = torch.linspace(smallest, largest, NUMBERS).tolist()
    return sorted({round(number) for number in numbers})


def _delete(blocks: list[Block], deleted: set[int]) -> list[Layer]:
    """Return all blocks, with the deleted ones replaced by their shortcuts."""
    layers: list[Layer] = []
    for number, block in enumerate(blocks):
        layers.append(_shortcut_layer(block) if number in deleted else block)
    return layers


def _shortcut_layer(block: Block) -> Layer:
    """Return the function that remains of a block when its convolutions are removed."""

    def layer(x: Tensor) -> Tensor:
        if not block.residual:
            return x
        y = block.apply_shortcut(x, block.activate(x))
        return F.relu(y) if block.order == "post" else y

    return layer


def _find_partners(network: Network, movable: list[int]) -> dict[int, list[int]]:
    """Map each movable block to the others of its stage. A block without others is not a key."""
    stages = list_stages(network)
    partners = {}
    for block in movable:
        others = [other for other in movable if stages[other] == stages[block] and other != block]
        if others:
            partners[block] = others
    return partners


def _swap(
    blocks: list[Block], partners: dict[int, list[int]], number: int, generator: torch.Generator
) -> list[Layer]:
    """Return all blocks after `number` random swaps of two blocks of the same stage."""
    layers: list[Layer] = list(blocks)
    movable = list(partners)
    for _ in range(number):
        first = movable[_draw_index(len(movable), generator)]
        second = partners[first][_draw_index(len(partners[first]), generator)]
        layers[first], layers[second] = layers[second], layers[first]
    return layers


def _draw_index(length: int, generator: torch.Generator) -> int:
    return int(torch.randint(length, (), generator=generator))


def _measure_error(
    network: Network, layers: Sequence[Layer], images: Tensor, labels: Tensor
) -> float:
    """Return the error in percent of the network with its blocks replaced by these layers."""

    def forward(batch: Tensor) -> Tensor:
        x = network.stem(batch)
        for layer in layers:
            x = layer(x)
        return network.head(x)

    return count_errors(forward, _split(images, labels)).error


def _split(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(images), LESION_BATCH):
        yield images[start : start + LESION_BATCH], labels[start : start + LESION_BATCH]
