import pytest
import torch
from torch import nn

from degradation.data.random_streams import build_generator
from degradation.probes.shattering import measure_shattering


class Kink(nn.Module):
    """Logits (|x|, 0) of one pixel: the gradient's sign is that of x."""

    def forward(self, x):
        return torch.stack([x.abs().flatten(1).sum(1), torch.zeros(len(x))], 1)


def lines():
    return build_generator(0, "lines")


def positive_pixels(count):
    """Return images of one positive pixel, and labels 0."""
    images = torch.rand(count, 1, 1, 1, generator=build_generator(0, "test")) + 0.1
    return images, torch.zeros(count, dtype=torch.int64)


def test_linear_network_has_correlation_one(linear):
    network = linear([(0.5, 2.0)], True)
    table = measure_shattering(network, *positive_pixels(8), lines(), lines=4, points=9)
    assert table["distance"] == pytest.approx([k / 8 for k in range(9)])
    assert table["correlation"] == pytest.approx([1.0] * 9)


def test_correlation_across_a_kink_by_hand():
    """64 points from -1 to 1; of the 64 - k pairs at lag k <= 32, k straddle the kink: -1 each."""
    images = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    labels = torch.zeros(2, dtype=torch.int64)
    table = measure_shattering(Kink(), images, labels, lines(), lines=3, points=64)
    assert table["correlation"][:33] == pytest.approx([1 - 2 * k / (64 - k) for k in range(33)])


def test_gradient_does_not_depend_on_the_other_points(build_network, batch):
    """BN normalises by the batch of images: more points on a line do not change its ends."""
    network = build_network()
    fine = measure_shattering(network, *batch, lines(), lines=2, points=33)
    coarse = measure_shattering(network, *batch, lines(), lines=2, points=3)
    assert fine["correlation"][32] == pytest.approx(coarse["correlation"][2])  # the two ends
    assert 0 < fine["correlation"][1] < 1


def test_deep_plain_networks_shatter_most(build_network, batch):
    """Balduzzi et al. 2017: in a deep plain network, gradients at nearby points are unrelated."""
    near = {}
    for shortcut in ("none", "A"):
        for depth in (8, 32):
            network = build_network(shortcut=shortcut, depth=depth)
            near[shortcut, depth] = measure_shattering(network, *batch, lines())["correlation"][1]
    assert near["none", 32] < 0.3 < near["A", 32]
    assert near["none", 32] < near["none", 8]


def test_tiny_gradients_count_and_zero_gradients_do_not(linear):
    """A gradient scaled by 1e-30 keeps its direction; a zero gradient has none."""
    network = linear([(0.5, 2.0)], True)
    with torch.no_grad():
        network.fc.weight.mul_(1e-30)
    tiny = measure_shattering(network, *positive_pixels(4), lines(), lines=2, points=5)
    assert tiny["correlation"] == pytest.approx([1.0] * 5)
    with torch.no_grad():
        network.fc.weight.zero_()
    zero = measure_shattering(network, *positive_pixels(4), lines(), lines=2, points=5)
    assert zero["correlation"] == [None] * 5
