"""Lesions (Veit et al. 2016): delete or swap blocks of a trained network; measure the error."""

from collections.abc import Callable, Iterator, Sequence

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
NUMBERS = 8  # numbers of deleted blocks, or of swaps, from the smallest to the largest
BATCH = 250  # images

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

    First each block is deleted alone. Then random sets of blocks that keep their input's shape are
    deleted, and random pairs of such blocks of one stage are swapped, `repeats` times per number.
    A deleted block leaves its shortcut; in a plain network it leaves the identity, so a plain block
    that changes the shape cannot be deleted.

    Args:
        images: float (N, C, H, W), normalised.
        labels: int64 (N,).

    Returns:
        One row per lesion. `kind`: none, delete, swap. `number`: of deleted blocks or of swaps.
        `repeat`: from 0. `block`: which block was deleted alone, else None. `error`: in percent.
    """
    blocks = list(network.blocks())
    movable = [number for number, block in enumerate(blocks) if block.keeps_shape]
    partners = _find_partners(network, movable)
    rows = []

    def measure(
        kind: str, number: int, repeat: int, layers: Sequence[Layer], block: int | None = None
    ) -> None:
        error = _measure_error(network, layers, images, labels)
        row = {"kind": kind, "number": number, "repeat": repeat, "block": block, "error": error}
        rows.append(row)

    was_training = network.training
    network.eval()
    measure("none", 0, 0, blocks)
    for number, block in enumerate(blocks):
        if block.residual or block.keeps_shape:
            measure("delete", 1, 0, _delete(blocks, {number}), number)
    for number in _spread_numbers(2, len(movable)):
        for repeat in range(repeats):
            indices = torch.randperm(len(movable), generator=generator)[:number].tolist()
            deleted = {movable[index] for index in indices}
            measure("delete", number, repeat, _delete(blocks, deleted))
    for number in _spread_numbers(1, len(partners)):
        for repeat in range(repeats):
            measure("swap", number, repeat, _swap(blocks, partners, number, generator))
    network.train(was_training)
    return to_table(rows)


def _spread_numbers(smallest: int, largest: int) -> list[int]:
    """Return at most NUMBERS numbers, spread evenly over the range, both ends included."""
    if largest < smallest:
        return []
    numbers = torch.linspace(smallest, largest, NUMBERS).tolist()
    return sorted({round(number) for number in numbers})


def _delete(blocks: list[Block], deleted: set[int]) -> list[Layer]:
    """Return the network's layers with some blocks reduced to their shortcuts."""
    layers: list[Layer] = []
    for number, block in enumerate(blocks):
        layers.append(_shortcut_layer(block) if number in deleted else block)
    return layers


def _shortcut_layer(block: Block) -> Layer:
    """Return what remains of a block without its convolutions."""

    def layer(x: Tensor) -> Tensor:
        if not block.residual:
            return x
        y = block.apply_shortcut(x, block.activate(x))
        return F.relu(y) if block.order == "post" else y

    return layer


def _find_partners(network: Network, movable: list[int]) -> dict[int, list[int]]:
    """Map each movable block to the others of its stage; blocks without any are not in the map."""
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
    """Return the network's layers after `number` random swaps of two blocks of one stage."""
    layers, movable = list(blocks), list(partners)
    for _ in range(number):
        first = movable[_draw_index(len(movable), generator)]
        second = partners[first][_draw_index(len(partners[first]), generator)]
        layers[first], layers[second] = layers[second], layers[first]
    return list(layers)


def _draw_index(length: int, generator: torch.Generator) -> int:
    return int(torch.randint(length, (), generator=generator))


def _measure_error(
    network: Network, layers: Sequence[Layer], images: Tensor, labels: Tensor
) -> float:
    """Return the error in percent of the network with these layers in place of its blocks."""

    def forward(batch: Tensor) -> Tensor:
        x = network.stem(batch)
        for layer in layers:
            x = layer(x)
        return network.head(x)

    return count_errors(forward, _split(images, labels)).error


def _split(images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(images), BATCH):
        yield images[start : start + BATCH], labels[start : start + BATCH]
