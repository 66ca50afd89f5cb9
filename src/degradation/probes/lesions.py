"""Lesions (Veit et al. 2016): delete blocks of a network, or let them change places, and measure the error."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from degradation.models.blocks import Block
from degradation.models.network import Network
from degradation.probes.block_gradients import stages_of
from degradation.probes.table import Table

REPEATS = 5
NUMBERS = 8  # of deleted blocks, or of swaps, from 1 to all, that are tried
BATCH = 250

Layer = Callable[[Tensor], Tensor]


def lesions(
    network: Network,
    pictures: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    repeats: int = REPEATS,
) -> Table:
    """A row a lesion: `kind` (none, delete, swap), `number` of blocks deleted or swaps, `repeat`, `error` in percent.

    Each block is deleted alone (`block` says which); then random sets of blocks that keep their input's shape are
    deleted, `repeats` sets a number; then random pairs of such blocks of one stage change places. A deleted block
    leaves its shortcut; in a plain network, where it has none, the identity, so a plain block that changes the shape
    cannot be deleted. Eval mode.
    """
    blocks = list(network.blocks())
    same = [number for number, block in enumerate(blocks) if block.keeps_shape]
    rows: list[tuple[str, int, int, int | None, float]] = []

    def measure(
        kind: str, number: int, repeat: int, order: Sequence[Layer], block: int | None = None
    ) -> None:
        rows.append((kind, number, repeat, block, _error(network, order, pictures, labels)))

    was_training = network.training
    network.eval()
    measure("none", 0, 0, blocks)
    for one in range(len(blocks)):
        if blocks[one].residual or one in same:
            measure("delete", 1, 0, _without(blocks, {one}), one)
    for number in _numbers(2, len(same)):
        for repeat in range(repeats):
            chosen = torch.randperm(len(same), generator=generator)[:number].tolist()
            measure("delete", number, repeat, _without(blocks, {same[index] for index in chosen}))
    partners = _partners(network, same)
    for number in _numbers(1, len(partners)):
        for repeat in range(repeats):
            measure("swap", number, repeat, _swapped(blocks, partners, number, generator))
    network.train(was_training)
    names = ("kind", "number", "repeat", "block", "error")
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}


def _numbers(least: int, most: int) -> list[int]:
    if most < least:
        return []
    return sorted({round(number) for number in torch.linspace(least, most, NUMBERS).tolist()})


def _without(blocks: list[Block], deleted: set[int]) -> list[Layer]:
    return [
        _shortcut_of(block) if number in deleted else block for number, block in enumerate(blocks)
    ]


def _shortcut_of(block: Block) -> Layer:
    """What is left of a block without its convolutions."""

    def layer(x: Tensor) -> Tensor:
        if not block.residual:
            return x
        y = block.shortcut(x, block.activate(x))
        return F.relu(y) if block.order == "post" else y

    return layer


def _partners(network: Network, same: list[int]) -> dict[int, list[int]]:
    """Block that keeps the shape: the others of its stage; without those that have no other."""
    stages = stages_of(network)
    found = {
        one: [other for other in same if stages[other] == stages[one] and other != one]
        for one in same
    }
    return {one: others for one, others in found.items() if others}


def _swapped(
    blocks: list[Block], partners: dict[int, list[int]], number: int, generator: torch.Generator
) -> list[Layer]:
    """The blocks after so many swaps of two."""
    order, movable = list(blocks), list(partners)
    for _ in range(number):
        one = movable[int(torch.randint(len(movable), (), generator=generator))]
        other = partners[one][int(torch.randint(len(partners[one]), (), generator=generator))]
        order[one], order[other] = order[other], order[one]
    return list(order)


def _error(network: Network, order: Sequence[Layer], pictures: Tensor, labels: Tensor) -> float:
    """Percent."""
    wrong = 0
    with torch.inference_mode():
        for start in range(0, len(pictures), BATCH):
            x = network.stem(pictures[start : start + BATCH])
            for layer in order:
                x = layer(x)
            wrong += int((network.head(x).argmax(1) != labels[start : start + BATCH]).sum())
    return 100 * wrong / len(pictures)
