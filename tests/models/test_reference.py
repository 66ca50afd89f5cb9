"""An independent forward pass, written from the papers alone, gives the same logits.

The reference reads parameters and BN statistics by position (stem, blocks in order, a block's
shortcut last, linear layer), so weights published elsewhere can be loaded by position.
"""

import itertools

import pytest
import torch
import torch.nn.functional as F

from degradation.models.network import Network

EPS = 1e-5


class ParameterReader:
    """Hands out a network's parameters and BN statistics in order."""

    def __init__(self, network):
        self.parameters = [p.detach() for p in network.parameters()]
        self.statistics = [
            b for name, b in network.named_buffers() if not name.endswith("num_batches_tracked")
        ]

    def convolution(self, stride, padding):
        weight = self.parameters.pop(0)
        return lambda x: F.conv2d(x, weight, stride=stride, padding=padding)

    def norm(self):
        scale, shift = self.parameters.pop(0), self.parameters.pop(0)
        mean, variance = self.statistics.pop(0), self.statistics.pop(0)
        shape = (1, -1, 1, 1)

        def normalise(x):
            return (x - mean.view(shape)) / torch.sqrt(variance.view(shape) + EPS) * scale.view(
                shape
            ) + shift.view(shape)

        return normalise


def forward(network, x, *, blocks, shortcut, order, block, layout, new_channels, stride_on):
    """Return the logits of the network that He et al. describe, with the arrays of `network`."""
    reader = ParameterReader(network)
    is_imagenet = layout == "imagenet"
    convolution, norm = (
        reader.convolution(2 if is_imagenet else 1, 3 if is_imagenet else 1),
        reader.norm(),
    )
    x = F.relu(norm(convolution(x)))
    x = F.max_pool2d(x, 3, 2, 1) if is_imagenet else x
    for stage, count in enumerate(blocks):
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            if block == "basic":
                shape = [(stride, 1), (1, 1)]
            else:
                shape = (
                    [(stride, 0), (1, 1), (1, 0)]
                    if stride_on == "1x1"
                    else [(1, 0), (stride, 1), (1, 0)]
                )
            is_first_block = stage == index == 0
            x = forward_block(
                reader, x, shape, shortcut, order, is_first_block, new_channels, stride
            )
    if order == "pre":
        x = F.relu(reader.norm()(x))
    weight, bias = reader.parameters.pop(0), reader.parameters.pop(0)
    assert not reader.parameters
    assert not reader.statistics
    return x.mean((2, 3)) @ weight.T + bias


def forward_block(reader, x, shape, shortcut, order, is_first_block, new_channels, stride):
    raw = activated = y = x
    for number, (conv_stride, padding) in enumerate(shape):
        if order == "post":
            convolution, norm = reader.convolution(conv_stride, padding), reader.norm()
            y = norm(convolution(y))
            y = F.relu(y) if number < len(shape) - 1 else y
        else:
            if not (is_first_block and number == 0):
                y = F.relu(reader.norm()(y))
            activated = y if number == 0 else activated
            y = reader.convolution(conv_stride, padding)(y)
    if shortcut != "none":
        same_shape = y.shape == raw.shape
        if shortcut == "C" or (shortcut == "B" and not same_shape):
            projection = reader.convolution(stride, 0)
            y = y + (reader.norm()(projection(raw)) if order == "post" else projection(activated))
        elif same_shape:
            y = y + raw
        else:
            extra_channels = y.shape[1] - raw.shape[1]
            before = extra_channels // 2 if new_channels == "either_side" else 0
            zeros = torch.zeros(len(x), extra_channels, *y.shape[2:])
            y = y + torch.cat(
                [zeros[:, :before], raw[:, :, ::stride, ::stride], zeros[:, before:]], 1
            )
    return F.relu(y) if order == "post" else y


def randomise(network):
    """Fill every array at random, so that a mistaken one changes the logits."""
    torch.manual_seed(0)
    for array in [*network.parameters(), *(b for b in network.buffers() if b.is_floating_point())]:
        array.data = (
            torch.rand_like(array) * 0.5 + 0.5
            if array.dim() == 1
            else torch.randn_like(array) * 0.2
        )
    return network.eval()


CIFAR = list(
    itertools.product(
        ["none", "A", "B", "C"], ["post", "pre"], [("basic", 14), ("bottleneck", 20)],
        ["after", "either_side"], ["3x3", "1x1"],
    )
)  # fmt: skip


@pytest.mark.parametrize(("shortcut", "order", "kind", "new_channels", "stride_on"), CIFAR)
def test_cifar_networks_match_the_reference(
    make_model, shortcut, order, kind, new_channels, stride_on
):
    block, depth = kind
    keys = {"shortcut": shortcut, "order": order, "block": block, "new_channels": new_channels}
    model = make_model(depth=depth, width=4, bottleneck_stride=stride_on, **keys)
    network = randomise(Network(model, 3, 10))
    x = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        expected = forward(
            network, x, blocks=(2, 2, 2), layout="cifar", stride_on=stride_on, **keys
        )
        torch.testing.assert_close(network(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize(
    ("block", "depth", "blocks"), [("basic", 18, (2, 2, 2, 2)), ("bottleneck", 50, (3, 4, 6, 3))]
)
def test_imagenet_networks_match_the_reference(make_model, shortcut, order, block, depth, blocks):
    keys = {"shortcut": shortcut, "order": order, "block": block}
    network = randomise(
        Network(make_model(layout="imagenet", depth=depth, width=4, **keys), 3, 7)
    ).double()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.inference_mode():
        expected = forward(
            network,
            x,
            blocks=blocks,
            layout="imagenet",
            new_channels="after",
            stride_on="3x3",
            **keys,
        )
        torch.testing.assert_close(network(x), expected)
