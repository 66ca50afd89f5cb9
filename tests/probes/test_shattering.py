import pytest
import torch
from torch import nn

from degradation.data.random_streams import build_generator
from degradation.probes.shattering import measure_shattering


class Kink(nn.Module):
    """Logits (|x|, 0) of one pixel: the gradient's sign is that of x."""

    def forward(self, x):
        return torch.stack([x.abs().flatten(1).sum(1), torch.zeros(len(x))], 1)


def test_a_linear_network_has_correlation_one_at_any_distance(linear):
    pictures = torch.rand(8, 1, 1, 1, generator=build_generator(0, "test")) + 0.1
    labels = torch.zeros(8, dtype=torch.int64)
    table = measure_shattering(
        linear([(0.5, 2.0)], True), pictures, labels, build_generator(0, "lines"), 4, 9
    )
    assert table["distance"] == pytest.approx([k / 8 for k in range(9)])
    assert table["correlation"] == pytest.approx([1.0] * 9)


def test_a_kink_in_the_middle_by_hand():
    """64 points from -1 to 1: of the 64 - k pairs at lag k <= 32, k are on both sides of the kink, and count -1."""
    pictures = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    table = measure_shattering(
        Kink(), pictures, torch.zeros(2, dtype=torch.int64), build_generator(0, "lines"), 3, 64
    )
    assert table["correlation"][:33] == pytest.approx([1 - 2 * k / (64 - k) for k in range(33)])


def test_each_point_depends_on_itself_alone(network, batch):
    """BN normalises by the batch of pictures: the same lines in other company give the same gradients."""
    net = network()
    fine = measure_shattering(net, *batch, build_generator(0, "lines"), 2, 33)
    coarse = measure_shattering(net, *batch, build_generator(0, "lines"), 2, 3)
    assert fine["correlation"][32] == pytest.approx(coarse["correlation"][2])  # the two ends
    assert 0 < fine["correlation"][1] < 1


def test_deep_plain_nets_shatter_and_residual_ones_less(network, batch):
    """Balduzzi et al. 2017: in a plain net the gradient at a near-by point is soon unrelated."""
    near = {}
    for shortcut in ("none", "A"):
        for depth in (8, 32):
            table = measure_shattering(
                network(shortcut=shortcut, depth=depth), *batch, build_generator(0, "lines")
            )
            near[shortcut, depth] = table["correlation"][1]
    assert near["none", 32] < 0.3 < near["A", 32]
    assert near["none", 32] < near["none", 8]


def test_a_tiny_gradient_has_a_direction_too_and_none_is_in_no_pair(linear):
    """1e-30 of a gradient is as alike as the gradient; where there is none at all nothing is said."""
    pictures, labels = (
        torch.rand(4, 1, 1, 1, generator=build_generator(0, "test")) + 0.1,
        torch.zeros(4, dtype=torch.int64),
    )
    net = linear([(0.5, 2.0)], True)
    with torch.no_grad():
        net.fc.weight.mul_(1e-30)
    assert measure_shattering(net, pictures, labels, build_generator(0, "lines"), 2, 5)[
        "correlation"
    ] == pytest.approx([1.0] * 5)
    with torch.no_grad():
        net.fc.weight.zero_()
    assert (
        measure_shattering(net, pictures, labels, build_generator(0, "lines"), 2, 5)["correlation"]
        == [None] * 5
    )
