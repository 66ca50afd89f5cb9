from itertools import combinations

import pytest
import torch

from degradation.data.random_streams import build_generator
from degradation.models.batchnorm import batch_statistics
from degradation.probes.block_gradients import BlockGradients, loss_through_blocks
from degradation.probes.gradient_flow import measure_gradient_flow
from degradation.probes.paths import measure_paths


def test_path_gradients_by_hand(linear):
    """With f = 1/2, 1/4, 1/8: the sum for length k is the k-th elementary symmetric polynomial."""
    network = linear([(1.0, 0.5), (1.0, 0.25), (1.0, 0.125)], residual=True)
    image, label = torch.full((1, 1, 1, 1), 0.3), torch.tensor([0])
    table = measure_paths(network, image, label, build_generator(0, "paths"), samples=400)
    last = table["sum_gradient"][0]
    assert table["length"] == [0, 1, 2, 3]
    assert table["paths"] == [1.0, 3.0, 3.0, 1.0]
    sums = [1, 0.5 + 0.25 + 0.125, 0.5 * 0.25 + 0.5 * 0.125 + 0.25 * 0.125, 0.5 * 0.25 * 0.125]
    assert table["sum_gradient"] == pytest.approx([last * factor for factor in sums])
    assert table["path_gradient"][0] == pytest.approx(last)
    assert table["path_gradient"][3] == pytest.approx(last * sums[3])
    # there are three paths of length 1, so the mean lies between the smallest and the largest
    assert last * 0.125 < table["path_gradient"][1] < last * 0.5


@pytest.mark.parametrize(
    "keys", [{"order": "post"}, {"order": "pre"}, {"order": "post", "shortcut": "C"}], ids=str
)
def test_sum_by_length_equals_the_sum_of_single_paths(build_network, batch, keys):
    """And all paths together give the gradient that training uses."""
    network = build_network(depth=14, **keys)
    table = measure_paths(network, *batch, build_generator(0, "paths"))
    with batch_statistics(network):
        loss, inputs = loss_through_blocks(network, *batch)
        last = torch.autograd.grad(loss, inputs[-1])[0]
        terms = [
            BlockGradients(block, x) for block, x in zip(network.blocks(), inputs, strict=False)
        ]
        total = torch.zeros_like(inputs[0])
        for length in range(7):
            sum_of_length = torch.zeros_like(inputs[0])
            for convolutions in combinations(range(6), length):
                sum_of_length += follow(terms, last, convolutions)
            expected = table["sum_gradient"][length]
            assert sum_of_length.norm().item() == pytest.approx(expected, rel=1e-9)
            total += sum_of_length
    gradient = measure_gradient_flow(network, *batch)["input_gradient"][0]
    assert total.norm().item() == pytest.approx(gradient, rel=1e-9)


def follow(terms, last, convolutions):
    """Return the gradient along the path that takes the convolutions of these blocks."""
    gradient = last
    for number in reversed(range(len(terms))):
        block = terms[number]
        step = block.by_convolutions if number in convolutions else block.by_shortcut
        gradient = step(gradient)
    return gradient


def test_zero_blocks_leave_only_the_path_of_length_zero(build_network, batch):
    network = build_network(order="pre")
    with torch.no_grad():
        for block in network.blocks():
            block.conv2.weight.zero_()
    table = measure_paths(network, *batch, build_generator(0, "paths"))
    assert table["sum_gradient"][0] > 0
    assert table["sum_gradient"][1:] == [0.0] * 3
