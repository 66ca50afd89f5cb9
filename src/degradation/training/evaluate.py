"""Error and loss of a network in eval mode: BN with its moving averages, or exact ones; no gradient."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from degradation.config import Config, Precision
from degradation.data.loaders import Loader
from degradation.models.batchnorm import exact_statistics
from degradation.training.device import at_least_float32, autocast, memory_format
from degradation.training.distributed import SINGLE, WorkerGroup

TOP = 5


@dataclass(frozen=True)
class EvalResult:
    error: float  # percent
    loss: float  # mean cross-entropy in nats
    top5_error: float  # percent: the label is not among the five likeliest classes


def evaluate(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    precision: Precision,
    group: WorkerGroup = SINGLE,
) -> EvalResult:
    """Over all pictures of the batches: (B, C, H, W), or (B, views, C, H, W), judged by the mean probability.

    Each process of a group gives batches of its own, and gets what was measured over those of all.
    """
    network.eval()
    seen, wrong, beyond, loss = 0.0, 0.0, 0.0, 0.0
    with torch.inference_mode():
        for pictures, labels in batches:
            logits = compute_logits(network, pictures, precision)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            wrong += (logits.argmax(1) != labels).sum().item()
            top = logits.topk(min(TOP, logits.shape[1])).indices
            beyond += (top != labels[:, None]).all(1).sum().item()
            seen += len(labels)
    network.train()
    if not group.is_single:
        sums = torch.tensor([seen, wrong, beyond, loss], dtype=torch.float64)
        seen, wrong, beyond, loss = group.sum(sums).tolist()
    return EvalResult(100 * wrong / seen, loss / seen, 100 * beyond / seen)


def compute_logits(network: nn.Module, pictures: Tensor, precision: Precision) -> Tensor:
    """float32, or float64 of such a network (B, classes); of several views, the logarithm of their mean probability."""
    views = pictures.shape[1] if pictures.dim() == 5 else 0
    flat = pictures.flatten(0, 1) if views else pictures
    with autocast(flat.device, precision):
        logits: Tensor = network(flat.contiguous(memory_format=memory_format(precision)))
    logits = at_least_float32(logits)
    return logits.softmax(1).view(-1, views, logits.shape[1]).mean(1).log() if views else logits


@contextmanager
def eval_batchnorm(network: nn.Module, config: Config, feed: Loader) -> Iterator[None]:
    """Inside, BN's moving averages are those that a run is evaluated with: exact ones, where the model asks so."""
    if config.model.bn_statistics == "moving":
        yield
        return
    batches = (images for images, _ in feed.shuffled_batches())
    with exact_statistics(
        network, batches, lambda batch: compute_logits(network, batch, config.precision)
    ):
        yield
