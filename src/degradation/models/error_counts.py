"""Count errors and sum losses over images, in training and in probes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TOP = 5  # number of most likely classes that the top-5 error accepts


@dataclass(frozen=True)
class ErrorCounts:
    """Sums over images. Sums of several processes can be added before errors are computed."""

    images: float
    wrong: float  # images whose label is not the most likely class
    wrong_top5: float  # images whose label is not among the five most likely classes
    loss_sum: float  # sum of the cross-entropies, in nats

    @property
    def error(self) -> float:
        """Top-1 error in percent."""
        return 100 * self.wrong / self.images

    @property
    def top5_error(self) -> float:
        """Top-5 error in percent, or 0 if there are at most five classes."""
        return 100 * self.wrong_top5 / self.images

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats; not finite if a logit is not."""
        return self.loss_sum / self.images


def count_errors(
    forward: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]
) -> ErrorCounts:
    """Run a network on batches without gradients, and sum its errors and losses.

    This does not change the network's mode: put it into eval mode first.

    Args:
        forward: returns the logits (B, classes) of a batch of images.
        batches: images that `forward` accepts, and int64 labels (B,).
    """
    images, wrong, wrong_top5, loss_sum = 0.0, 0.0, 0.0, 0.0
    with torch.inference_mode():
        for batch, labels in batches:
            logits = forward(batch)
            loss_sum += F.cross_entropy(logits, labels, reduction="sum").item()
            wrong += (logits.argmax(1) != labels).sum().item()
            most_likely = logits.topk(min(TOP, logits.shape[1])).indices  # (B, 5)
            wrong_top5 += (most_likely != labels[:, None]).all(1).sum().item()
            images += len(labels)
    return ErrorCounts(images, wrong, wrong_top5, loss_sum)
