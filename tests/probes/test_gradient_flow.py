import math

import pytest
import torch

from degradation.probes.gradient_flow import measure_gradient_flow

WEIGHTS = [(0.5, 2.0), (3.0, 0.25)]  # f: 1 and 0.75


@pytest.mark.parametrize("residual", [True, False])
def test_gradient_norms_by_hand(linear, residual):
    """E = log(1 + exp(-2 h)); dE/dx_l is dE/dh times the later blocks; dE/dw = dE/dx' w' x."""
    x, shortcut = 0.3, 1.0 if residual else 0.0
    factors = [shortcut + a * b for a, b in WEIGHTS]
    inputs = [x, x * factors[0], x * factors[0] * factors[1]]
    slope = -2 / (1 + math.exp(2 * inputs[2]))
    gradients = [slope * factors[0] * factors[1], slope * factors[1], slope]
    image, label = torch.full((1, 1, 1, 1), x), torch.tensor([0])
    table = measure_gradient_flow(linear(WEIGHTS, residual), image, label)
    assert table["block"] == [0, 1, 2]
    assert table["input_gradient"] == pytest.approx([abs(g) for g in gradients], rel=1e-6)
    weight_norms = []
    for (a, b), block_input, after in zip(WEIGHTS, inputs[:2], gradients[1:], strict=True):
        weight_norms.append(math.hypot(after * b * block_input, after * a * block_input))
    assert table["weight_gradient"][:2] == pytest.approx(weight_norms, rel=1e-6)
    assert table["weight_gradient"][2] is None


def test_gradient_matches_finite_differences(build_network, batch):
    """Of the train-mode loss in float64, along the gradient of one convolution's weights."""
    network = build_network()
    weight = network.get_parameter("layer2.0.conv1.weight")
    table = measure_gradient_flow(network, *batch)
    network.train()
    loss = torch.nn.functional.cross_entropy(network(batch[0]), batch[1])
    (gradient,) = torch.autograd.grad(loss, weight)
    along = gradient / gradient.norm()
    step, losses = 1e-6, []
    for side in (1, -1):
        with torch.no_grad():
            weight.add_(side * step * along)
            losses.append(torch.nn.functional.cross_entropy(network(batch[0]), batch[1]).item())
            weight.sub_(side * step * along)
    assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(gradient.norm().item(), rel=1e-5)
    # the table's norm covers both convolutions of the block
    assert table["weight_gradient"][1] > gradient.norm().item()


def test_zero_blocks_keep_the_gradient_constant_in_a_stage(build_network, batch):
    network = build_network(depth=20, order="pre")
    with torch.no_grad():
        for block in network.blocks():
            block.conv2.weight.zero_()
    table = measure_gradient_flow(network, *batch)
    rows = list(zip(table["stage"], table["input_gradient"], strict=True))
    for stage in (1, 2, 3):
        norms = [norm for row_stage, norm in rows if row_stage == stage]
        # the first block of a later stage gets its gradient across the change of shape
        inside = norms[1:] if stage > 1 else norms
        assert inside == pytest.approx([inside[0]] * len(inside), rel=1e-12)
