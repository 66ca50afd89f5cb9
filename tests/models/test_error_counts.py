"""Error rates and loss from sums over images."""

import math

import pytest
import torch

from degradation.models.error_counts import ErrorCounts, count_errors


def one_hot_logits(images):
    """Return logits 0, with 10 for the class that the image names."""
    return 10 * torch.nn.functional.one_hot(images, 8).float()


def test_errors_and_loss_by_hand():
    """Two batches of unequal size: three images of five are misclassified."""
    batches = [
        (torch.tensor([0, 1, 2]), torch.tensor([0, 0, 0])),
        (torch.tensor([3, 4]), torch.tensor([3, 7])),
    ]
    counts = count_errors(one_hot_logits, batches)
    assert (counts.images, counts.wrong) == (5, 3)
    assert counts.error == pytest.approx(60)
    right = math.log(1 + 7 * math.exp(-10))
    assert counts.loss == pytest.approx((2 * right + 3 * (10 + right)) / 5, rel=1e-6)


def test_top5_error_counts_labels_beyond_the_fifth():
    logits = torch.arange(8.0).flip(0).repeat(8, 1)  # class 0 is the likeliest, class 7 the least
    counts = count_errors(lambda _: logits, [(torch.zeros(8), torch.arange(8))])
    assert counts.error == pytest.approx(100 * 7 / 8)
    assert counts.top5_error == pytest.approx(100 * 3 / 8)


def test_top5_error_is_zero_with_five_classes():
    counts = count_errors(lambda _: torch.eye(5), [(torch.zeros(5), torch.arange(5).flip(0))])
    assert counts.top5_error == 0


def test_infinite_logits_give_an_error_rate_but_no_finite_loss():
    counts = count_errors(
        lambda _: torch.full((2, 3), torch.inf), [(torch.zeros(2), torch.zeros(2).long())]
    )
    assert not math.isfinite(counts.loss)
    assert 0 <= counts.error <= 100


def test_no_gradient_is_recorded():
    weight = torch.ones(1, 2, requires_grad=True)
    outputs = []

    def forward(images):
        outputs.append(images @ weight)
        return outputs[-1]

    count_errors(forward, [(torch.ones(3, 1), torch.zeros(3, dtype=torch.int64))])
    assert not outputs[0].requires_grad


def test_counts_of_several_processes_add_up():
    parts = [ErrorCounts(3, 1, 0, 2.0), ErrorCounts(1, 1, 1, 4.0)]
    total = ErrorCounts(*(sum(values) for values in zip(*map(astuple, parts), strict=True)))
    assert (total.error, total.top5_error, total.loss) == (50, 25, 1.5)


def astuple(counts):
    return counts.images, counts.wrong, counts.wrong_top5, counts.loss_sum
