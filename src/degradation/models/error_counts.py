"""Sums over images behind every error and loss, in training and in probes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TOP = 5  # classes that the top-5 error accepts


@dataclass(frozen=True)
class ErrorCounts:
    """Sums over images. Those of several processes are added before rates are computed."""

    images: float
    wrong: float  # images whose label is not the likeliest class
    wrong_top5: float  # images whose label is not among the five likeliest classes
    loss_sum: float  # of the cross-entropies, in nats

    @property
    def error(self) -> float:
        """Top-1 error in percent."""
        return 100 * self.wrong / self.images

    @property
    def top5_error(self) -> float:
        """Top-5 error in percent; 0 if there are at most five classes."""
        return 100 * self.wrong_top5 / self.images

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats; not finite if a logit is not."""
        return self.loss_sum / self.images


def count_errors(
    forward: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]
) -> ErrorCounts:
    """Run a network over batches, without gradients, and sum its errors and losses.

    Modes and BN statistics are the caller's: put the network into eval mode first.

    Args:
        forward: returns the logits (B, classes) of a batch of images.
        batches: images as `forward` reads them, and int64 labels (B,).
    """
    images, wrong, wrong_top5, loss_sum = 0.0, 0.0, 0.0, 0.0
    with torch.inference_mode():
        for batch, labels in batches:
            logits = forward(batch)
            loss_sum += F.cross_entropy(logits, labels, reduction="sum").item()
            wrong += (logits.argmax(1) != labels).sum().item()
            likeliest = logits.topk(min(TOP, logits.shape[1])).indices  # (B, 5)
            wrong_top5 += (likeliest != labels[:, None]).all(1).sum().item()
            images += len(labels)
    return ErrorCounts(images, wrong, wrong_top5, loss_sum)
