"""Error and loss of a network in eval mode: BN with its moving averages, no gradient."""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Data, Precision
from degradation.data.augment import Pictures, draw_offsets
from degradation.training.step import autocast, memory_format

EVALUATION_BATCH = 250  # small enough for a core's cache: a quarter faster than 500 on digits


def evaluate(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], precision: Precision) -> tuple[float, float]:
    """Error in percent and mean cross-entropy in nats over all pictures of the batches."""
    network.eval()
    pictures_seen, wrong, loss = 0, 0.0, 0.0
    with torch.inference_mode():
        for pictures, labels in batches:
            with autocast(pictures.device, precision):
                logits = network(pictures.contiguous(memory_format=memory_format(precision)))
            logits = logits.float()
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            wrong += (logits.argmax(1) != labels).sum().item()
            pictures_seen += len(labels)
    network.train()
    return 100 * wrong / pictures_seen, loss / pictures_seen


def clean_batches(pictures: Pictures) -> Iterator[tuple[Tensor, Tensor]]:
    """Every picture once, un-augmented (the single original view)."""
    for start in range(0, len(pictures), EVALUATION_BATCH):
        yield pictures.plain_batch(start, start + EVALUATION_BATCH)


def augmented_batches(pictures: Pictures, data: Data, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Every picture once, augmented as in training."""
    for start in range(0, len(pictures), EVALUATION_BATCH):
        index = torch.arange(start, min(start + EVALUATION_BATCH, len(pictures)))
        yield pictures.augmented_batch(index, draw_offsets(len(index), data, generator))
