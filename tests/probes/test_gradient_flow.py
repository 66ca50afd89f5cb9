import math

import pytest
import torch

from degradation.probes.gradient_flow import measure_gradient_flow

WEIGHTS = [(0.5, 2.0), (3.0, 0.25)]  # f: 1 and 0.75


@pytest.mark.parametrize("residual", [True, False])
def test_a_two_block_linear_net_by_hand(linear, residual):
    """E = log(1 + exp(-2 h)) for the first class; dE/dx_l = dE/dh times the blocks after; dE/dw = dE/dx' w' x."""
    x, one = 0.3, 1.0 if residual else 0.0
    factors = [one + a * b for a, b in WEIGHTS]
    inputs = [x, x * factors[0], x * factors[0] * factors[1]]
    slope = -2 / (1 + math.exp(2 * inputs[2]))
    gradients = [slope * factors[0] * factors[1], slope * factors[1], slope]
    table = measure_gradient_flow(
        linear(WEIGHTS, residual), torch.full((1, 1, 1, 1), x), torch.tensor([0])
    )
    assert table["block"] == [0, 1, 2]
    assert table["input_gradient"] == pytest.approx([abs(g) for g in gradients], rel=1e-6)
    of_weights = [
        math.hypot(after * b * x, after * a * x)
        for (a, b), x, after in zip(WEIGHTS, inputs[:2], gradients[1:], strict=True)
    ]  # fmt: skip
    assert table["weight_gradient"][:2] == pytest.approx(of_weights, rel=1e-6)
    assert table["weight_gradient"][2] is None


def test_the_gradient_is_that_of_training(network, batch):
    """By finite differences of the train-mode loss, in float64: along a random change of one block's weights."""
    net = network()
    weight = net.get_parameter("layer2.0.conv1.weight")
    table = measure_gradient_flow(net, *batch)
    net.train()
    loss = torch.nn.functional.cross_entropy(net(batch[0]), batch[1])
    (gradient,) = torch.autograd.grad(loss, weight)
    along = gradient / gradient.norm()
    step, losses = 1e-6, []
    for side in (1, -1):
        with torch.no_grad():
            weight.add_(side * step * along)
            losses.append(torch.nn.functional.cross_entropy(net(batch[0]), batch[1]).item())
            weight.sub_(side * step * along)
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(gradient.norm().item(), rel=1e-5)
    assert table["weight_gradient"][1] > gradient.norm().item()  # of both convolutions of the block


def test_zero_blocks_leave_the_gradient_level_within_a_stage(network, batch):
    net = network(depth=20, order="pre")
    with torch.no_grad():
        for block in net.blocks():
            block.conv2.weight.zero_()
    table = measure_gradient_flow(net, *batch)
    for stage in (1, 2, 3):  # a stage's first block gets its gradient across the change of shape
        norms = [
            norm
            for of, norm in zip(table["stage"], table["input_gradient"], strict=True)
            if of == stage
        ]
        inside = norms[1:] if stage > 1 else norms
        assert inside == pytest.approx([inside[0]] * len(inside), rel=1e-12)
