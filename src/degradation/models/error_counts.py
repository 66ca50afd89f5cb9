"""Count errors and sum losses over images, in training and in probes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

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


# Of a batch: the sum of the cross-entropies in nats, how many images are misclassified, and how
# many have a label that is not among the five likeliest classes. Scalars on the device.
BatchCounts = tuple[Tensor, Tensor, Tensor]


def count_batch_errors(logits: Tensor, labels: Tensor) -> BatchCounts:
    """Count the errors of a batch without waiting for the device.

    Args:
        logits: (B, classes)
        labels: int64 (B,)
    """
    loss_sum = F.cross_entropy(logits, labels, reduction="sum")
    wrong = (logits.argmax(1) != labels).sum()
    most_likely = logits.topk(min(TOP, logits.shape[1])).indices  # (B, 5)
    wrong_top5 = (most_likely != labels[:, None]).all(1).sum()
    return loss_sum, wrong, wrong_top5


@dataclass(frozen=True)
class SplitCounts:
    """The counts of all batches of a split, on the device."""

    batches: list[BatchCounts]
    images: int  # of all batches together


def read_counts(splits: Sequence[SplitCounts]) -> list[ErrorCounts]:
    """Return the sums of each split; this waits for the device once, whatever their number."""
    batches: list[BatchCounts] = []
    for split in splits:
        batches += split.batches
    if not batches:
        return [ErrorCounts(0.0, 0.0, 0.0, 0.0) for _ in splits]
    losses = torch.stack([loss for loss, _, _ in batches])
    wrong = torch.stack([wrong_count for _, wrong_count, _ in batches])
    wrong_top5 = torch.stack([wrong_count for _, _, wrong_count in batches])
    dtype = torch.promote_types(losses.dtype, torch.float32)
    counted = torch.stack([losses, wrong.to(dtype), wrong_top5.to(dtype)], dim=1).tolist()
    read = []
    start = 0
    for split in splits:
        rows = counted[start : start + len(split.batches)]
        start += len(split.batches)
        loss_sum = _add_up(row[0] for row in rows)
        wrong_sum = _add_up(row[1] for row in rows)
        wrong_top5_sum = _add_up(row[2] for row in rows)
        read.append(ErrorCounts(float(split.images), wrong_sum, wrong_top5_sum, loss_sum))
    return read


def _add_up(numbers: Iterable[float]) -> float:
    """Add float64 numbers from left to right, as those of all records were added.

    The built-in sum of Python 3.12 compensates for rounding.
    """
    return reduce(add, numbers, 0.0)


def count_errors(
    forward: Callable[[Tensor], Tensor], batches: Iterable[tuple[Tensor, Tensor]]
) -> ErrorCounts:
    """Run a network on batches without gradients, and sum its errors and losses.

    This waits for the device once, at the end. It does not change the network's mode: put it into
    eval mode first.

    Args:
        forward: returns the logits (B, classes) of a batch of images.
        batches: images that `forward` accepts, and int64 labels (B,).
    """

    def count_batch(images: Tensor, labels: Tensor) -> BatchCounts:
        return count_batch_errors(forward(images), labels)

    (counts,) = read_counts([enqueue_counts(count_batch, batches)])
    return counts


def enqueue_counts(
    count_batch: Callable[[Tensor, Tensor], BatchCounts],
    batches: Iterable[tuple[Tensor, Tensor]],
) -> SplitCounts:
    """Count the errors of all batches without gradients, and without waiting for the device.

    Args:
        count_batch: returns the counts of images and labels; they may change with its next call.
    """
    counts: list[BatchCounts] = []
    images = 0
    with torch.inference_mode():
        for batch, labels in batches:
            loss_sum, wrong, wrong_top5 = count_batch(batch, labels)
            counts.append((loss_sum.clone(), wrong.clone(), wrong_top5.clone()))
            images += len(labels)
    return SplitCounts(counts, images)
