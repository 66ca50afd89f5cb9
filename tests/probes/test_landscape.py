import math

import pytest
import torch
import torch.nn.functional as F

from degradation.data.random_streams import build_generator
from degradation.probes.landscape import LossSurface, draw_direction
from degradation.sweep.pending import list_points


def test_directions_are_filter_normalised(build_network):
    """Li et al. 2018, section 4: filters and rows of the linear layer; biases and BN stay."""
    network = build_network()
    direction = draw_direction(network, build_generator(0, "landscape"))
    weights = {name for name, value in network.named_parameters() if value.dim() > 1}
    assert set(direction) == weights
    for name, change in direction.items():
        lengths = network.get_parameter(name).detach().flatten(1).norm(dim=1)
        torch.testing.assert_close(change.flatten(1).norm(dim=1), lengths)
    other = draw_direction(network, build_generator(1, "landscape"))
    assert not torch.equal(direction["fc.weight"], other["fc.weight"])


def test_loss_surface_by_hand(linear):
    """h = x (1 + (a + s)(b + t)) if the block's two middle weights are moved by s and t."""
    network = linear([(0.5, 2.0)], residual=True)
    moved = [(name, value) for name, value in network.named_parameters() if value.dim() > 1]
    first, second = ({name: torch.zeros_like(value) for name, value in moved} for _ in range(2))
    first["layer1.0.conv1.weight"][0, 0, 1, 1] = 0.5
    second["layer1.0.conv2.weight"][0, 0, 1, 1] = 2.0
    surface = LossSurface(network, (first, second))
    batches = [(torch.full((3, 1, 1, 1), 0.3), torch.tensor([0, 0, 1]))]
    for x, y in ((0.0, 0.0), (1.0, -0.5), (-2.0, 1.0), (0.0, 0.0)):
        h = 0.3 * (1 + (0.5 + 0.5 * x) * (2 + 2 * y))
        losses = [math.log1p(math.exp(-2 * h)), math.log1p(math.exp(2 * h))]
        loss, error = surface.measure(x, y, batches)
        assert loss == pytest.approx((2 * losses[0] + losses[1]) / 3, rel=1e-6)
        assert error == pytest.approx(100 / 3 if h > 0 else 200 / 3)


def test_centre_of_the_surface_is_the_network_in_eval_mode(build_network, batch):
    network = build_network()
    network(batch[0])  # so that BN's moving averages are not those of the initialisation
    directions = tuple(draw_direction(network, build_generator(i, "landscape")) for i in (1, 2))
    expected = F.cross_entropy(network.eval()(batch[0]), batch[1]).item()
    buffers = {name: value.clone() for name, value in network.named_buffers()}
    surface = LossSurface(network, directions)
    surface.measure(0.7, -0.2, [batch])
    assert surface.measure(0.0, 0.0, [batch])[0] == expected
    assert all(torch.equal(value, buffers[name]) for name, value in network.named_buffers())


def test_points_are_evenly_spaced_around_the_network(compose_config):
    landscape = compose_config(
        "landscape.line=5", "landscape.square=3", "landscape.reach=0.5"
    ).landscape
    points = list_points(landscape)
    assert [point.x for point in points[:5]] == [-0.5, -0.25, 0.0, 0.25, 0.5]
    square = {(x, y) for x in (-0.5, 0, 0.5) for y in (-0.5, 0, 0.5)}
    assert {(point.x, point.y) for point in points[5:]} == square
    assert len(points) == 5 + 9
