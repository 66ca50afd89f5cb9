"""Convolutions compute what their definition says, whatever the library does for their shape."""

import pytest
import torch
from torch import nn

from degradation.models.convolution import (
    MIN_STRIDED_CHANNELS,
    SubsampledConv2d,
    build_convolution,
)


@pytest.mark.parametrize("in_channels", [1, 2, 4, 6, 8, 15, 16, 20])
def test_strided_projection_has_the_right_gradients(in_channels):
    """With few channels, oneDNN's own gives wrong ones, or crashes the process."""
    images = torch.randn(32, in_channels, 8, 8, generator=torch.Generator().manual_seed(0))
    images = images.to(memory_format=torch.channels_last).requires_grad_(True)
    projection = build_convolution(in_channels, 2 * in_channels, kernel=1, stride=2)
    projection = projection.to(memory_format=torch.channels_last)
    exact = nn.Conv2d(in_channels, 2 * in_channels, 1, stride=2, bias=False).double()
    exact.load_state_dict(projection.state_dict())
    exact_images = images.detach().double().contiguous().requires_grad_(True)
    for _ in range(5):
        projection.weight.grad = images.grad = None
        outputs = projection(images)
        outputs.square().sum().backward()
    exact_outputs = exact(exact_images)
    exact_outputs.square().sum().backward()
    torch.testing.assert_close(outputs.double(), exact_outputs, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(images.grad.double(), exact_images.grad, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        projection.weight.grad.double(), exact.weight.grad, rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize(
    ("in_channels", "kernel", "stride", "is_subsampled"),
    [(4, 1, 2, True), (4, 1, 1, False), (4, 3, 2, False), (MIN_STRIDED_CHANNELS, 1, 2, False)],
)
def test_other_convolutions_are_those_of_torch(in_channels, kernel, stride, is_subsampled):
    """So the numbers of the paper's networks are unchanged."""
    built = build_convolution(in_channels, 32, kernel, stride)
    assert type(built) is (SubsampledConv2d if is_subsampled else nn.Conv2d)
    assert built.padding == (kernel // 2, kernel // 2)
